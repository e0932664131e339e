"""Close branches, amend and withdraw closures, and announce reopenings."""

from collections.abc import Callable, Iterable
from datetime import date

from services.notices.branches import refusals
from services.notices.branches import store as branches_store
from services.notices.branches.events import closed, closure_changed, reopened
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.branch import Branch, BranchClosure, Terms
from services.notices.closures import store
from services.notices.closures.refusals import NoSuchClosure, NothingToReopen, NothingToWithdraw
from services.notices.closures.rules import Closure, ClosureState, amended, concerned, state_of
from shared.contracts import Event
from shared.contracts.notices import ClosureChange
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def closure_and_branches(work: Work, closure_id: str) -> tuple[Closure, list[Branch]]:
    """Return the closure and the branches that it covers. Raises NoSuchClosure."""
    closure = or_refuse(store.get(work, closure_id), NoSuchClosure)
    return closure, branches_store.some(work, closure.branches)


def carry_out(
    work: Work,
    closure: Closure,
    covered: Iterable[Branch],
    changed: Iterable[Branch],
    event_of: Callable[[Branch], Event],
) -> ClosureState:
    """Store and publish the changed branches; return the closure's state.

    Branches that are the same as before are skipped.
    """
    branches = {branch.id: branch for branch in covered}
    for branch in changed:
        if branch is branches[branch.id]:
            continue
        branches[branch.id] = branch
        branches_store.save(work, branch)
        work.record(event_of(branch))
    return state_of(closure, branches.values())


def _lasts(today: date) -> Callable[[BranchClosure], bool]:
    return lambda here: not (here.over(today) or here.now.withdrawn)


def close_branches(
    work: Work,
    *,
    branches: frozenset[str],
    kinds: frozenset[str],
    starts_on: date,
    reopened_on: date | None,
    reason: str,
    extra_renewals: int | None,
) -> ClosureState:
    """Record the closure; return its state.

    Raises NoSuchBranch, NoBranchCovered, NeverClosed, or ClosedAlready with all branches that have
    this closure already. Two concurrent closures of one branch write the same record, so the second
    is retried and finds the first.
    """
    covered = branches_store.some(work, branches, kinds)
    if unknown := branches - {branch.id for branch in covered}:
        raise refusals.NoSuchBranch(branches=sorted(unknown))
    if not covered:
        raise refusals.NoBranchCovered
    closure = Closure(
        id=new_id(),
        starts_on=starts_on,
        reason=reason,
        branches=tuple(branch.id for branch in covered),
        kinds=tuple(sorted(kinds)),
        extra_renewals=extra_renewals,
        recorded_at=work.now,
    )
    shut: list[Branch] = []
    recorded: list[str] = []
    for branch in covered:
        try:
            shut.append(
                branch_rules.close(
                    branch,
                    closure.id,
                    starts_on,
                    reopened_on,
                    reason,
                    at=work.now,
                    extra_renewals=extra_renewals or 0,
                )
            )
        except refusals.ClosedAlready:
            recorded.append(branch.id)
    if recorded:
        raise refusals.ClosedAlready(branches=sorted(recorded))
    store.add(work, closure)
    for branch in shut:
        branches_store.save(work, branch)
        work.record(closed(branch, closure.id))
    return state_of(closure, shut)


def amend_closure(
    work: Work, closure_id: str, starts_on: date | None, reason: str | None
) -> ClosureState:
    """Correct the closure for all branches for which it was not withdrawn; return its state.

    Due dates that it has moved stay. Raises NoSuchClosure, ClosureWithdrawn or NeverClosed.
    """
    closure, covered = closure_and_branches(work, closure_id)
    everywhere: frozenset[str] = frozenset()
    standing = concerned(
        closure, covered, everywhere, everywhere, lambda here: not here.now.withdrawn
    )
    if not standing:
        raise refusals.ClosureWithdrawn(branches=sorted(closure.branches))
    closure = amended(closure, starts_on, reason)
    store.save(work, closure)
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.amend(branch, closure.id, starts_on=starts_on, reason=reason, at=work.now)
            for branch in standing
        ],
        lambda branch: closure_changed(branch, closure.id, "amended"),
    )


def announce_reopening(
    work: Work, terms: Terms, branches: frozenset[str], kinds: frozenset[str], today: date
) -> ClosureState:
    """Announce the reopening; return the closure's state.

    Raises NoSuchClosure, NotInClosure, NothingToReopen, NeverClosed, ClosureWithdrawn or BadHours.
    """
    closure, covered = closure_and_branches(work, terms.closure_id)
    opening = concerned(closure, covered, branches, kinds, _lasts(today))
    if not opening:
        raise NothingToReopen
    return carry_out(
        work,
        closure,
        covered,
        [branch_rules.reopen(branch, terms, at=work.now) for branch in opening],
        lambda branch: reopened(branch, closure.id, terms.starts_on),
    )


def cancel_reopening(
    work: Work, closure_id: str, branches: frozenset[str], kinds: frozenset[str], today: date
) -> ClosureState:
    """Cancel the announced reopening of those branches; return the closure's state.

    Raises NoSuchClosure, NotInClosure, NothingToReopen, ReopenedAlready or ClosureWithdrawn.
    """
    closure, covered = closure_and_branches(work, closure_id)
    waiting = concerned(closure, covered, branches, kinds, _lasts(today))
    if not waiting:
        raise NothingToReopen
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.cancel_reopening(branch, closure.id, at=work.now, today=today)
            for branch in waiting
        ],
        lambda branch: closure_changed(branch, closure.id, "reopening-taken-back"),
    )


def withdraw_closure(
    work: Work,
    *,
    closure_id: str,
    branches: frozenset[str],
    kinds: frozenset[str],
    in_error: bool,
    reason: str,
    today: date,
) -> ClosureState:
    """Withdraw the closure; return its state.

    Circulation restores the due dates that a closure recorded in error has moved. Raises
    NoSuchClosure, NotInClosure, NothingToWithdraw or ClosureOver.
    """
    closure, covered = closure_and_branches(work, closure_id)

    def stands(here: BranchClosure) -> bool:
        return here.now.withdrawn != "in-error" if in_error else _lasts(today)(here)

    leaving = concerned(closure, covered, branches, kinds, stands)
    if not leaving:
        raise NothingToWithdraw
    change: ClosureChange = "withdrawn-in-error" if in_error else "withdrawn"
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.withdraw(branch, closure.id, in_error=in_error, at=work.now, today=today)
            for branch in leaving
        ],
        lambda branch: closure_changed(branch, closure.id, change, reason),
    )
