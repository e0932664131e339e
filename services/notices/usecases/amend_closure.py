"""Correct the first day or the reason of a closure."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.closure import ClosureState, amended, concerned
from services.notices.domain.refusals import ClosureWithdrawn
from services.notices.usecases.change_closure import carry_out, closure_and_branches
from services.notices.usecases.publish_branch import closure_changed
from shared.unit_of_work import Work


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
        raise ClosureWithdrawn(closure.branches)
    closure = amended(closure, command.starts_on, command.reason)
    store.closures.save(work, closure)
    return carry_out(
        work,
        closure,
        covered,
        [
            rules.amend(
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
