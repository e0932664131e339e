"""Change a hold: its pick-up branch, its last day, or whether it is frozen."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from services.circulation import store
from services.circulation.domain import copy as copies
from services.circulation.domain import hold as rules
from services.circulation.domain.hold import Hold, HoldState
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.holds import NoSuchHold
from services.circulation.usecases.commands.place_hold import QueuedHold
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.serve_queue import hand_out
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AmendHold:
    """Command to change a hold. `patron_id` is the patron who asks; None: staff."""

    hold_id: str
    patron_id: str | None
    on: date
    pickup_branch: str | None = None
    """New pick-up branch; None leaves it unchanged."""
    sets_expiry: bool = False
    """True if `expires_on` replaces the last day."""
    expires_on: date | None = None
    frozen: bool | None = None
    """True freezes the hold, False unfreezes it; None leaves it unchanged."""
    frozen_until: date | None = None


def amend_hold(work: Work, command: AmendHold) -> QueuedHold:
    """Apply all changes to the hold, or none; a copy that is ready elsewhere is to be fetched.

    Raises NoSuchHold (also for another patron's hold), NoSuchBranch, or the refusal of a change.
    """
    hold = store.holds.get(work, command.hold_id)
    if hold is None or command.patron_id not in (None, hold.patron_id):
        raise NoSuchHold
    if command.pickup_branch and not store.calendars.get(work, command.pickup_branch):
        raise NoSuchBranch(branch=command.pickup_branch)
    store.holds.take_turn(work, [hold.title_id])
    steps = [hold, *_changes(hold, command)]
    store.holds.save(work, steps[1:])
    for before, after in pairwise(steps):
        work.record(hold_events.changed(before, after))
    if hold.state is HoldState.READY and steps[-1].state is HoldState.TO_FETCH:
        _set_aside(work, steps[-1])
    served = hand_out(work, [hold.title_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), steps[-1])
    return QueuedHold(now, store.holds.position(work, now))


def _changes(hold: Hold, command: AmendHold) -> Iterator[Hold]:
    if command.pickup_branch not in (None, hold.pickup_branch):
        yield (hold := rules.redirect(hold, str(command.pickup_branch)))
    if command.sets_expiry:
        yield (hold := rules.choose_expiry(hold, command.expires_on, command.on))
    if command.frozen is not None:
        yield rules.freeze(hold, command.frozen, command.frozen_until, command.on)


def _set_aside(work: Work, hold: Hold) -> None:
    for copy in (store.titles.some_copies(work, [hold.copy_id or ""])).values():
        free = copies.hand_on(copy, None)
        store.titles.save_copies(work, [free, copies.set_aside(free, hold.id)])
