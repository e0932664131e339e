"""Announce when branches under a closure reopen, and under what terms."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch, Terms
from services.notices.domain.closure import ClosureState, state_of, to_reopen
from services.notices.domain.refusals import ClosureOverlaps, NoSuchClosure
from services.notices.usecases.publish_branch import reopened
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AnnounceReopening:
    """The terms of a reopening, from `terms.starts_on`, for some or all branches of a closure."""

    terms: Terms
    branches: frozenset[str]
    kinds: frozenset[str]
    today: date


async def announce_reopening(work: Work, command: AnnounceReopening) -> ClosureState:
    """The closure as it stands then.

    Raises NoSuchClosure, NotInClosure, NothingToReopen, NeverClosed, BadHours, or ClosureOverlaps
    for all that would run into their next closure.
    """
    closure = await store.closure(work, command.terms.closure_id)
    if closure is None:
        raise NoSuchClosure
    covered = {branch.id: branch for branch in await store.branches(work, closure.branches)}
    opening: list[Branch] = []
    overlapping: list[str] = []
    for branch in to_reopen(
        closure, covered.values(), command.branches, command.kinds, command.today
    ):
        try:
            open_again = rules.reopen(branch, command.terms, at=work.now)
        except ClosureOverlaps:
            overlapping.append(branch.id)
            continue
        if open_again is not branch:
            opening.append(open_again)
    if overlapping:
        raise ClosureOverlaps(overlapping)
    for branch in opening:
        covered[branch.id] = branch
        await store.save_branch(work, branch)
        work.record(reopened(branch, closure.id, command.terms.starts_on))
    return state_of(closure, covered.values())
