"""Close branches, amend and withdraw closures, and announce reopenings."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date

from services.notices.branches import store as branches_store
from services.notices.branches.events import closed, closure_changed, reopened
from services.notices.branches.refusals import (
    ClosedAlready,
    ClosureWithdrawn,
    NoBranchCovered,
    NoSuchBranch,
)
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.branch import Branch, BranchClosure, Terms
from services.notices.closures import store
from services.notices.closures.refusals import NoSuchClosure, NothingToReopen, NothingToWithdraw
from services.notices.closures.rules import Closure, ClosureState, amended, concerned, state_of
from shared.contracts import Event
from shared.contracts.notices import ClosureChange
from shared.ids import new_id
from shared.unit_of_work import Work


def closure_and_branches(work: Work, closure_id: str) -> tuple[Closure, list[Branch]]:
    """Return the closure and the branches that it covers. Raises NoSuchClosure."""
    closure = store.get(work, closure_id)
    if closure is None:
        raise NoSuchClosure
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


@dataclass(frozen=True)
class CloseBranches:
    """A closure of the branches named by code or by kind."""

    branches: frozenset[str]
    kinds: frozenset[str]
    starts_on: date
    reopened_on: date | None
    reason: str
    extra_renewals: int | None


def close_branches(work: Work, command: CloseBranches) -> ClosureState:
    """Record the closure; return its state.

    Raises NoSuchBranch, NoBranchCovered, NeverClosed, or ClosedAlready with all branches that have
    this closure already. Two concurrent closures of one branch write the same record, so the second
    is retried and finds the first.
    """
    covered = branches_store.some(work, command.branches, command.kinds)
    if unknown := command.branches - {branch.id for branch in covered}:
        raise NoSuchBranch(branches=sorted(unknown))
    if not covered:
        raise NoBranchCovered
    closure = Closure(
        id=new_id(),
        starts_on=command.starts_on,
        reason=command.reason,
        branches=tuple(branch.id for branch in covered),
        kinds=tuple(sorted(command.kinds)),
        extra_renewals=command.extra_renewals,
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
                    command.starts_on,
                    command.reopened_on,
                    command.reason,
                    at=work.now,
                    extra_renewals=command.extra_renewals or 0,
                )
            )
        except ClosedAlready:
            recorded.append(branch.id)
    if recorded:
        raise ClosedAlready(branches=sorted(recorded))
    store.add(work, closure)
    for branch in shut:
        branches_store.save(work, branch)
        work.record(closed(branch, closure.id))
    return state_of(closure, shut)


@dataclass(frozen=True)
class AmendClosure:
    """A closure and its corrections; None leaves the value."""

    closure_id: str
    starts_on: date | None
    reason: str | None


def amend_closure(work: Work, command: AmendClosure) -> ClosureState:
    """Correct the closure for all branches for which it was not withdrawn; return its state.

    Due dates that it has moved stay. Raises NoSuchClosure, ClosureWithdrawn or NeverClosed.
    """
    closure, covered = closure_and_branches(work, command.closure_id)
    everywhere: frozenset[str] = frozenset()
    standing = concerned(
        closure, covered, everywhere, everywhere, lambda here: not here.now.withdrawn
    )
    if not standing:
        raise ClosureWithdrawn(branches=sorted(closure.branches))
    closure = amended(closure, command.starts_on, command.reason)
    store.save(work, closure)
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.amend(
                branch,
                closure.id,
                starts_on=command.starts_on,
                reason=command.reason,
                at=work.now,
            )
            for branch in standing
        ],
        lambda branch: closure_changed(branch, closure.id, "amended"),
    )


@dataclass(frozen=True)
class AnnounceReopening:
    """The terms of a reopening, from `terms.starts_on`, for some or all branches of a closure."""

    terms: Terms
    branches: frozenset[str]
    kinds: frozenset[str]
    today: date


@dataclass(frozen=True)
class CancelReopening:
    """Command to cancel an announced reopening, for some or all branches of a closure."""

    closure_id: str
    branches: frozenset[str]
    kinds: frozenset[str]
    today: date


def announce_reopening(work: Work, command: AnnounceReopening) -> ClosureState:
    """Announce the reopening; return the closure's state.

    Raises NoSuchClosure, NotInClosure, NothingToReopen, NeverClosed, ClosureWithdrawn or BadHours.
    """
    closure, covered = closure_and_branches(work, command.terms.closure_id)
    opening = concerned(
        closure,
        covered,
        command.branches,
        command.kinds,
        lambda here: not (here.over(command.today) or here.now.withdrawn),
    )
    if not opening:
        raise NothingToReopen
    return carry_out(
        work,
        closure,
        covered,
        [branch_rules.reopen(branch, command.terms, at=work.now) for branch in opening],
        lambda branch: reopened(branch, closure.id, command.terms.starts_on),
    )


def cancel_reopening(work: Work, command: CancelReopening) -> ClosureState:
    """Cancel the announced reopening of those branches; return the closure's state.

    Raises NoSuchClosure, NotInClosure, NothingToReopen, ReopenedAlready or ClosureWithdrawn.
    """
    closure, covered = closure_and_branches(work, command.closure_id)
    waiting = concerned(
        closure,
        covered,
        command.branches,
        command.kinds,
        lambda here: not (here.over(command.today) or here.now.withdrawn),
    )
    if not waiting:
        raise NothingToReopen
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.cancel_reopening(branch, closure.id, at=work.now, today=command.today)
            for branch in waiting
        ],
        lambda branch: closure_changed(branch, closure.id, "reopening-taken-back"),
    )


@dataclass(frozen=True)
class WithdrawClosure:
    """A closure, the branches to withdraw it for, and if it was recorded in error."""

    closure_id: str
    branches: frozenset[str]
    kinds: frozenset[str]
    in_error: bool
    reason: str
    today: date


def withdraw_closure(work: Work, command: WithdrawClosure) -> ClosureState:
    """Withdraw the closure; return its state.

    Circulation restores the due dates that a closure recorded in error has moved. Raises
    NoSuchClosure, NotInClosure, NothingToWithdraw or ClosureOver.
    """
    closure, covered = closure_and_branches(work, command.closure_id)

    def stands(here: BranchClosure) -> bool:
        if command.in_error:
            return here.now.withdrawn != "in-error"
        return not (here.now.withdrawn or here.over(command.today))

    leaving = concerned(closure, covered, command.branches, command.kinds, stands)
    if not leaving:
        raise NothingToWithdraw
    change: ClosureChange = "withdrawn-in-error" if command.in_error else "withdrawn"
    return carry_out(
        work,
        closure,
        covered,
        [
            branch_rules.withdraw(
                branch,
                closure.id,
                in_error=command.in_error,
                at=work.now,
                today=command.today,
            )
            for branch in leaving
        ],
        lambda branch: closure_changed(branch, closure.id, change, command.reason),
    )
