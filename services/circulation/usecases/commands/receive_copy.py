"""Receive a copy that was in transit or was to be fetched."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.copy import Copy, arrive
from services.circulation.domain.hold import Hold, allot
from services.circulation.domain.refusals import NoSuchBranch, NoSuchCopy
from services.circulation.usecases.serve_holds import Served, hand_out
from services.circulation.usecases.tell_of_hold import tell_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReceiveCopy:
    """Command to receive a copy that was scanned at a branch."""

    barcode: str
    branch: str
    on: date


async def receive_copy(work: Work, command: ReceiveCopy) -> Served:
    """Receive the copy: it is on the hold shelf, at home, or in transit to another branch.

    Raises NoSuchCopy, NoSuchBranch, or NotInThisState if it was not in transit or to be fetched.
    """
    copy = (await store.titles.copies_with(work, [command.barcode])).get(command.barcode)
    if copy is None:
        raise NoSuchCopy(barcode=command.barcode)
    if await store.calendars.get(work, command.branch) is None:
        raise NoSuchBranch(branch=command.branch)
    await store.holds.take_turn(work, [copy.title_id])
    unpacked = await unpack(work, copy, command.branch, command.on)
    served = await hand_out(work, [copy.title_id], command.on, in_hand=[copy.id])
    return served.get(copy.id, unpacked)


async def unpack(work: Work, copy: Copy, branch_code: str, on: date) -> Served:
    """Record the arrival of a copy; it is then kept or sent for its hold, or free to be handed out.

    The caller has written the queue of its title already. Raises NotInThisState.
    """
    arrived = arrive(copy, branch_code)
    await store.titles.save_copies(work, [arrived])
    if copy.hold_id and (hold := await store.holds.get(work, copy.hold_id)):
        return await _for_hold(work, arrived, hold, on)
    return Served(arrived, None)


async def _for_hold(work: Work, copy: Copy, hold: Hold, on: date) -> Served:
    """Put the copy on the hold shelf for `hold`, or send it on to the pick-up branch."""
    branch = await store.calendars.get(work, hold.pickup_branch)
    if branch is None:
        raise NoSuchBranch(branch=hold.pickup_branch)
    patron = await store.patrons.get(work, hold.patron_id)
    policies = await store.policies.matrix(work)
    policy = policies.pick(patron.category if patron else "", copy.category, branch.kind)
    after, placed = allot(hold, copy, on=on, shelf_days=policy.hold_shelf_days, calendar=branch.now)
    await store.titles.save_copies(work, [placed])
    if after is not hold:
        await store.holds.save(work, [after])
        tell_change(work, hold, after)
    return Served(placed, after)
