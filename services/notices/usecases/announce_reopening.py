"""Announce when branches in a closure reopen and on which terms, or cancel the announcement."""

from dataclasses import dataclass
from datetime import date

from services.notices.domain import branch as rules
from services.notices.domain.branch import Terms
from services.notices.domain.closure import ClosureState, concerned
from services.notices.domain.refusals import NothingToReopen
from services.notices.usecases.change_closure import carry_out, closure_and_branches
from services.notices.usecases.publish_branch import closure_changed, reopened
from shared.unit_of_work import Work


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
        [rules.reopen(branch, command.terms, at=work.now) for branch in opening],
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
            rules.cancel_reopening(branch, closure.id, at=work.now, today=command.today)
            for branch in waiting
        ],
        lambda branch: closure_changed(branch, closure.id, "reopening-taken-back"),
    )
