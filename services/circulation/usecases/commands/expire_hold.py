"""End a hold whose time is over."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.hold import expire, is_unwanted
from services.circulation.domain.hold_shelf import is_uncollected, move_shelf
from services.circulation.usecases.events import hold_events
from services.circulation.usecases.steps.end_hold import end
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ExpireHold:
    """Command to expire a hold if its time is over on `on`."""

    hold_id: str
    on: date


def expire_hold(work: Work, command: ExpireHold) -> bool:
    """Expire the hold if its time is over; return whether it was.

    If a closure has moved its last day on the shelf meanwhile, publishes the new day instead.
    """
    hold = store.holds.get(work, command.hold_id)
    if hold is None or not hold.is_open:
        return False
    branch = store.calendars.get(work, hold.pickup_branch)
    if branch is None:
        return False
    if is_unwanted(hold, command.on) or is_uncollected(hold, branch.now, command.on):
        end(work, hold, expire(hold, command.on))
        return True
    moved = move_shelf(hold, branch.now, command.on)
    if moved is not hold:
        store.holds.save(work, [moved])
        work.record(hold_events.changed(hold, moved))
    return False
