"""Give free copies to the waiting holds of their queue in turn, and send the others home."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.borrowers import store as borrowers_store
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.holds import events, store
from services.circulation.policies import store as policies_store
from services.circulation.refusals import NoSuchBranch
from services.circulation.rules.copy import Copy, CopyState, arrive, remember, send
from services.circulation.rules.hold import Hold
from services.circulation.rules.hold_queue import Waiting, allot, assign, nearest
from services.circulation.rules.policy import PolicyMatrix
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class Served:
    """A copy as it is now, and the hold that it is for; None: it is for no hold."""

    copy: Copy
    hold: Hold | None


def serve(
    work: Work,
    queue_ids: Collection[str],
    on: date,
    *,
    freed: Collection[Copy] = (),
    in_hand: Collection[str] = (),
) -> dict[str, Served]:
    """Hand out the free copies of some queues; return those that changed, by copy id.

    Callers write first everything that makes a copy free or a hold wait. `freed` has the copies
    that they made free: those that no hold gets are sent home. `in_hand` has the ids of the copies
    that were just scanned; every other free copy lies on a shelf or is in transit.
    """
    store.take_turn(work, queue_ids)
    return hand_out(work, queue_ids, on, freed=freed, in_hand=in_hand)


def hand_out(
    work: Work,
    queue_ids: Collection[str],
    on: date,
    *,
    freed: Collection[Copy] = (),
    in_hand: Collection[str] = (),
) -> dict[str, Served]:
    """Hand out free copies like `serve`, if the queues have been written already."""
    queues = store.of_queues(work, queue_ids)
    given = _give(work, queues, on, in_hand) if queues else {}
    homeward = [
        send(copy, copy.branch_code)
        for copy in freed
        if copy.id not in given
        and copy.state is CopyState.AVAILABLE
        and copy.at_branch != copy.branch_code
    ]
    catalogue_store.save_copies(work, homeward)
    return given | {copy.id: Served(copy, None) for copy in homeward}


def _give(
    work: Work, queues: Mapping[str, Sequence[Waiting]], on: date, in_hand: Collection[str]
) -> dict[str, Served]:
    """Give each hold in turn the nearest free copy that suits it and may be kept for it.

    A hold that can be served by a copy never goes without while a later hold gets that copy.
    """
    policies = policies_store.matrix(work)
    given: dict[str, Served] = {}
    for queue_id, queue in queues.items():
        of_volumes = any(waiting.hold.volume for waiting in queue)
        volumes = catalogue_store.free_volumes(work, queue_id) if of_volumes else {None}
        left: dict[object, set[str]] = {}
        for waiting in queue:
            target = waiting.hold.target
            if target.volume not in volumes:
                continue
            if target.pool not in left:
                left[target.pool] = catalogue_store.categories_of(work, target)
            categories = left[target.pool]
            fitting = {each for each in categories if waiting.can_be_served(each, policies, on)}
            if not fitting:
                continue
            free = catalogue_store.first_free(
                work,
                target,
                fitting,
                waiting.hold.pickup_branch,
                in_hand=in_hand,
                given=given,
            )
            copy = nearest(free, waiting.hold.pickup_branch, in_hand=in_hand)
            if copy is None:
                categories -= fitting  # for later holds with this target there is none either
                continue
            hold, copy = _assigned(waiting, copy, policies, on, scanned=copy.id in in_hand)
            work.record(events.changed(waiting.hold, hold))
            given[copy.id] = Served(copy, hold)
    catalogue_store.save_copies(work, [each.copy for each in given.values()])
    store.save(work, [each.hold for each in given.values() if each.hold])
    return given


def _assigned(
    waiting: Waiting, copy: Copy, policies: PolicyMatrix, on: date, *, scanned: bool
) -> tuple[Hold, Copy]:
    """Return the hold and the copy that it gets; a scanned copy goes to its place at once."""
    policy = waiting.policy_for(copy.category, policies)
    hold = replace(waiting.hold, title_id=copy.title_id)  # the edition that it gets
    if not scanned or policy is None or waiting.calendar is None:
        return assign(hold, copy)
    days = policy.hold_shelf_days
    return allot(hold, copy, on=on, shelf_days=days, calendar=waiting.calendar)


def unpack(work: Work, copy: Copy, branch_code: str, on: date) -> Served:
    """Record the arrival of a copy; it is then kept or sent for its hold, or free to be handed out.

    The caller has written its queue already. Raises NotInThisState.
    """
    arrived = arrive(copy, branch_code)
    if copy.state is CopyState.IN_TRANSIT:
        arrived = remember(arrived, "moved", on, copy.at_branch)
    elif copy.state is not CopyState.TO_FETCH:
        arrived = remember(arrived, "received", on)
    catalogue_store.save_copies(work, [arrived])
    if copy.hold_id and (hold := store.get(work, copy.hold_id)):
        return _for_hold(work, arrived, hold, on)
    return Served(arrived, None)


def _for_hold(work: Work, copy: Copy, hold: Hold, on: date) -> Served:
    """Put the copy on the hold shelf for `hold`, or send it on to the pick-up branch."""
    branch = calendars_store.get(work, hold.pickup_branch)
    if branch is None:
        raise NoSuchBranch(branch=hold.pickup_branch)
    patron = borrowers_store.get_patron(work, hold.patron_id)
    policies = policies_store.matrix(work)
    policy = policies.pick(patron.category if patron else "", copy.category, branch.kind)
    after, placed = allot(hold, copy, on=on, shelf_days=policy.hold_shelf_days, calendar=branch.now)
    catalogue_store.save_copies(work, [placed])
    if after is not hold:
        store.save(work, [after])
        work.record(events.changed(hold, after))
    return Served(placed, after)


def serve_queue(work: Work, queue_id: str, on: date) -> int:
    """Serve a queue; return how many holds got a copy."""
    served = serve(work, {queue_id}, on)
    return sum(each.hold is not None for each in served.values())


QUEUES_AT_ONCE = 200
"""Number of queues that one query checks for free copies."""


async def serve_waiting(run: Run, on: date, *, patron_id: str | None = None) -> int:
    """Serve the queues that have waiting holds; return how many holds got a copy.

    Each queue has its own transaction. `patron_id` selects the queues in which one patron waits;
    None: all. A run that is begun again finds only what is left to do.
    """
    done = 0
    batch: list[str] = []
    async for queue_id in store.waited_for(run.database, patron_id=patron_id):
        batch.append(queue_id)
        if len(batch) == QUEUES_AT_ONCE:
            done += await serve_queues(run, batch, on)
            batch.clear()
    return done + await serve_queues(run, batch, on)


async def serve_queues(run: Run, queue_ids: Collection[str], on: date) -> int:
    """Serve some queues like `serve_waiting`; return how many holds got a copy."""
    free = await catalogue_store.with_free_copies(run.database, queue_ids)
    return sum([await run(serve_queue, queue_id, on) for queue_id in free])
