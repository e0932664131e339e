"""Give the free copies of a title to its waiting holds, in turn, and send the others home."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.hold import Hold
from services.circulation.domain.hold_queue import Waiting, nearest
from services.circulation.domain.hold_shelf import allot, assign
from services.circulation.domain.policy import PolicyMatrix
from services.circulation.usecases.events import hold_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class Served:
    """A copy as it is now, and the hold that it is for; None: it is for no hold."""

    copy: Copy
    hold: Hold | None


def serve(
    work: Work,
    title_ids: Collection[str],
    on: date,
    *,
    freed: Collection[Copy] = (),
    in_hand: Collection[str] = (),
) -> dict[str, Served]:
    """Hand out the free copies of some titles; return those that changed, by copy id.

    Callers write first everything that makes a copy free or a hold wait. `freed` has the copies
    that they made free: those that no hold gets are sent home. `in_hand` has the ids of the copies
    that were just scanned; every other free copy lies on a shelf or is in transit.
    """
    store.holds.take_turn(work, title_ids)
    return hand_out(work, title_ids, on, freed=freed, in_hand=in_hand)


def hand_out(
    work: Work,
    title_ids: Collection[str],
    on: date,
    *,
    freed: Collection[Copy] = (),
    in_hand: Collection[str] = (),
) -> dict[str, Served]:
    """Hand out free copies like `serve`, if the queues of the titles have been written already."""
    queues = store.facts.of_queues(work, title_ids)
    given = _give(work, queues, on, in_hand) if queues else {}
    homeward = [
        copies.send(copy, copy.branch_code)
        for copy in freed
        if copy.id not in given
        and copy.state is CopyState.AVAILABLE
        and copy.at_branch != copy.branch_code
    ]
    store.titles.save_copies(work, homeward)
    return given | {copy.id: Served(copy, None) for copy in homeward}


def _give(
    work: Work, queues: Mapping[str, Sequence[Waiting]], on: date, in_hand: Collection[str]
) -> dict[str, Served]:
    """Give each hold in turn the nearest free copy that may be kept for it.

    A hold that can be served by a copy never goes without while a later hold gets that copy.
    """
    policies = store.policies.matrix(work)
    given: dict[str, Served] = {}
    for title_id, queue in queues.items():
        left = store.titles.categories_of(work, title_id)
        for waiting in queue:
            fitting = {each for each in left if waiting.can_be_served(each, policies, on)}
            if not fitting:
                continue
            free = store.titles.first_free(
                work,
                title_id,
                fitting,
                waiting.hold.pickup_branch,
                in_hand=in_hand,
                given=given,
            )
            copy = nearest(free, waiting.hold.pickup_branch, in_hand=in_hand)
            if copy is None:
                left -= fitting  # for later holds there is none either
                continue
            hold, copy = _assigned(waiting, copy, policies, on, scanned=copy.id in in_hand)
            work.record(hold_events.changed(waiting.hold, hold))
            given[copy.id] = Served(copy, hold)
    store.titles.save_copies(work, [each.copy for each in given.values()])
    store.holds.save(work, [each.hold for each in given.values() if each.hold])
    return given


def _assigned(
    waiting: Waiting, copy: Copy, policies: PolicyMatrix, on: date, *, scanned: bool
) -> tuple[Hold, Copy]:
    """Return the hold and the copy that it gets; a scanned copy goes to its place at once."""
    policy = waiting.policy_for(copy.category, policies)
    if not scanned or policy is None or waiting.calendar is None:
        return assign(waiting.hold, copy)
    days = policy.hold_shelf_days
    return allot(waiting.hold, copy, on=on, shelf_days=days, calendar=waiting.calendar)
