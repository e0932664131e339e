"""Change a hold: where it is collected, until when it is wanted, whether it is passed over."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain import hold as rules
from services.circulation.domain.hold import Hold, HoldState
from services.circulation.domain.refusals import NoSuchBranch, NoSuchHold
from services.circulation.usecases.place_hold import Place
from services.circulation.usecases.serve_holds import hand_out
from services.circulation.usecases.tell_of_hold import tell_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AmendHold:
    """What is to be changed. `patron_id` is who asks; None: staff."""

    hold_id: str
    patron_id: str | None
    on: date
    pickup_branch: str | None = None
    """None: as it is."""
    sets_expiry: bool = False
    """Whether `expires_on` is to be as given."""
    expires_on: date | None = None
    frozen: bool | None = None
    """None: as it is."""
    frozen_until: date | None = None


async def amend_hold(work: Work, command: AmendHold) -> Place:
    """The hold after the changes, or none of them. What is ready elsewhere is sent on.

    Raises NoSuchHold (also for another patron's), NoSuchBranch, or what refuses a change.
    """
    hold = await store.holds.get(work, command.hold_id)
    if hold is None or command.patron_id not in (None, hold.patron_id):
        raise NoSuchHold
    if command.pickup_branch and not await store.calendars.get(work, command.pickup_branch):
        raise NoSuchBranch(branch=command.pickup_branch)
    await store.holds.take_turn(work, [hold.title_id])
    steps = [hold, *_changes(hold, command)]
    await store.holds.save(work, steps[1:])
    for before, after in pairwise(steps):
        tell_change(work, before, after)
    if hold.state is HoldState.READY and steps[-1].state is HoldState.IN_TRANSIT:
        await _send_on(work, steps[-1])
    served = await hand_out(work, [hold.title_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), steps[-1])
    return Place(now, await store.holds.position(work, now))


def _changes(hold: Hold, command: AmendHold) -> Iterator[Hold]:
    if command.pickup_branch not in (None, hold.pickup_branch):
        yield (hold := rules.redirect(hold, str(command.pickup_branch)))
    if command.sets_expiry:
        yield (hold := rules.choose_expiry(hold, command.expires_on, command.on))
    if command.frozen is not None:
        yield rules.freeze(hold, command.frozen, command.frozen_until, command.on)


async def _send_on(work: Work, hold: Hold) -> None:
    for copy in (await store.titles.some_copies(work, [hold.copy_id or ""])).values():
        free = copies.hand_on(copy, None)
        sent = copies.send(free, hold.pickup_branch, hold.id)
        await store.titles.save_copies(work, [free, sent])
