"""Give the free copies of a title to its waiting holds, in turn, and send the others home."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.hold import Hold
from services.circulation.domain.hold_queue import Waiting, matches
from services.circulation.domain.hold_shelf import allot, assign
from services.circulation.usecases.events import hold_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class Served:
    """A copy as it is now, and the hold that it is for; None: it is for no hold."""

    copy: Copy
    hold: Hold | None


async def serve(
    work: Work, title_ids: Collection[str], on: date, *, in_hand: Collection[str] = ()
) -> dict[str, Served]:
    """Hand out the free copies of some titles; return those that changed, by copy id.

    Callers write first everything that makes a copy free or a hold wait. `in_hand` has the ids of
    the copies that were just scanned; every other free copy lies on a shelf or is in transit.
    """
    await store.holds.take_turn(work, title_ids)
    return await hand_out(work, title_ids, on, in_hand=in_hand)


async def hand_out(
    work: Work, title_ids: Collection[str], on: date, *, in_hand: Collection[str] = ()
) -> dict[str, Served]:
    """Hand out free copies like `serve`, if the queues of the titles have been written already."""
    free = await store.titles.free_copies(work, title_ids)
    queues = await queues_of(work, {copy.title_id for copy in free})
    given = await _give(work, free, queues, on, in_hand) if queues else {}
    homeward = [
        copies.send(copy, copy.branch_code)
        for copy in free
        if copy.id not in given
        and copy.state is CopyState.AVAILABLE
        and copy.at_branch != copy.branch_code
    ]
    await store.titles.save_copies(work, homeward)
    return given | {copy.id: Served(copy, None) for copy in homeward}


async def _give(
    work: Work,
    free: Sequence[Copy],
    queues: dict[str, list[Waiting]],
    on: date,
    in_hand: Collection[str],
) -> dict[str, Served]:
    policies = await store.policies.matrix(work)
    given = []
    for title_id, queue in queues.items():
        of_title = [copy for copy in free if copy.title_id == title_id]
        for match in matches(of_title, queue, policies, on, in_hand=in_hand):
            if match.copy.id in in_hand:
                hold, copy = allot(
                    match.waiting.hold,
                    match.copy,
                    on=on,
                    shelf_days=match.policy.hold_shelf_days,
                    calendar=match.calendar,
                )
            else:
                hold, copy = assign(match.waiting.hold, match.copy)
            work.record(hold_events.changed(match.waiting.hold, hold))
            given.append(Served(copy, hold))
    await store.titles.save_copies(work, [each.copy for each in given])
    await store.holds.save(work, [each.hold for each in given if each.hold])
    return {each.copy.id: each for each in given}


async def queues_of(work: Work, title_ids: Collection[str]) -> dict[str, list[Waiting]]:
    """Return the queues of some titles, in turn, with the facts that decide who can be served."""
    holds = await store.holds.waiting(work, title_ids) if title_ids else []
    if not holds:
        return {}
    patron_ids = {hold.patron_id for hold in holds}
    patrons = await store.patrons.some(work, patron_ids)
    borrowers = await store.patrons.borrowers(work, patron_ids)
    calendars = await store.calendars.some(work, {hold.pickup_branch for hold in holds})
    queues: dict[str, list[Waiting]] = {}
    for hold in holds:
        calendar = calendars.get(hold.pickup_branch)
        queues.setdefault(hold.title_id, []).append(
            Waiting(
                hold,
                patrons.get(hold.patron_id),
                borrowers[hold.patron_id].outstanding_cents,
                calendar.now if calendar else None,
            )
        )
    return queues
