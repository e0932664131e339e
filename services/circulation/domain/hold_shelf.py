"""The copy of a hold: fetched, sent, and kept on the hold shelf until a last day."""

from dataclasses import replace
from datetime import date, timedelta

from services.circulation.domain import copy as copies
from services.circulation.domain.calendar import Calendar
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.hold import Hold, HoldState, HoldStep, await_copy, next_state


def allot(
    hold: Hold, copy: Copy, *, on: date, shelf_days: int, calendar: Calendar
) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was just scanned: ready at the pick-up branch, or sent there.

    `calendar` is the pick-up branch's.
    """
    if copy.at_branch != hold.pickup_branch:
        return _on_the_way(hold, copy), copies.send(copy, hold.pickup_branch, hold.id)
    ready = replace(
        hold,
        state=next_state(hold, HoldStep.KEEP),
        frozen=False,
        frozen_until=None,
        copy_id=copy.id,
        ready_on=on,
        shelf_days=shelf_days,
        shelf_until=last_shelf_day(on, shelf_days, calendar),
        version=hold.version + 1,
    )
    return ready, copies.keep(copy, hold.id)


def assign(hold: Hold, copy: Copy) -> tuple[Hold, Copy]:
    """Give the hold a free copy that was not just scanned: in transit, or for staff to fetch.

    A copy in transit continues to its destination, and from there to the pick-up branch. A copy on
    a shelf stays there until it is scanned; only then is it ready or sent.
    """
    if copy.state is CopyState.IN_TRANSIT:
        return _on_the_way(hold, copy), copies.hand_on(copy, hold.id)
    return await_copy(hold, copy.id, HoldStep.SET_ASIDE), copies.set_aside(copy, hold.id)


def _on_the_way(hold: Hold, copy: Copy) -> Hold:
    if hold.state is HoldState.IN_TRANSIT and hold.copy_id == copy.id:
        return hold  # it arrived at another branch than its destination and is sent on
    return await_copy(hold, copy.id, HoldStep.SEND)


def last_shelf_day(ready_on: date, shelf_days: int, calendar: Calendar) -> date | None:
    """Return the `shelf_days`-th open day after `ready_on`; None if that day is not announced."""
    day: date | None = ready_on
    for _ in range(shelf_days):
        if day is None:
            return None
        day = calendar.next_open(day + timedelta(days=1))
    return day


def shelf_end(hold: Hold, calendar: Calendar, on: date) -> date | None:
    """Return the last day on which a ready hold can be collected; None if no end is announced.

    The pick-up branch's calendar decides, so a closure extends the time at once. The day is never
    earlier than the one last published. If no end was published, and on `on` the calendar gives a
    day that has passed (a closure without an end was withdrawn as an error), the time is counted
    from `on`: nobody could know of that day. Returns None for a hold that is not ready.
    """
    if hold.ready_on is None:
        return None
    end = last_shelf_day(hold.ready_on, hold.shelf_days, calendar)
    if end is None:
        return None
    if hold.shelf_until is None:
        return end if end >= on else last_shelf_day(on, hold.shelf_days, calendar)
    return max(end, hold.shelf_until)


def move_shelf(hold: Hold, calendar: Calendar, on: date) -> Hold:
    """Set its `shelf_end` on `on`; return the same hold if nothing changes."""
    end = shelf_end(hold, calendar, on)
    if hold.state is not HoldState.READY or end == hold.shelf_until:
        return hold
    state = next_state(hold, HoldStep.MOVE_SHELF)
    return replace(hold, state=state, shelf_until=end, version=hold.version + 1)


def is_uncollected(hold: Hold, calendar: Calendar, on: date) -> bool:
    """Return whether a ready hold was not collected by its `shelf_end`."""
    end = shelf_end(hold, calendar, on)
    return hold.state is HoldState.READY and end is not None and on > end
