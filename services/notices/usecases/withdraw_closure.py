"""Withdraw a closure, for all or some of its branches."""

from dataclasses import dataclass
from datetime import date

from services.notices.domain import branch as rules
from services.notices.domain.branch import BranchClosure
from services.notices.domain.closure import ClosureState, concerned
from services.notices.domain.refusals import NothingToWithdraw
from services.notices.usecases.change_closure import carry_out, closure_and_branches
from services.notices.usecases.publish_branch import closure_changed
from shared.contracts.notices import ClosureChange
from shared.unit_of_work import Work


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
            rules.withdraw(
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
