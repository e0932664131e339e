"""Record a closure of some branches: for all of them, or for none."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch
from services.notices.domain.closure import Closure, ClosureState, state_of
from services.notices.domain.refusals import ClosedAlready, NoBranchCovered, NoSuchBranch
from services.notices.usecases.publish_branch import closed
from shared.ids import new_id
from shared.unit_of_work import Work


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
    covered = store.branches.some(work, command.branches, command.kinds)
    if unknown := command.branches - {branch.id for branch in covered}:
        raise NoSuchBranch(unknown)
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
                rules.close(
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
        raise ClosedAlready(recorded)
    store.closures.add(work, closure)
    for branch in shut:
        store.branches.save(work, branch)
        work.record(closed(branch, closure.id))
    return state_of(closure, shut)
