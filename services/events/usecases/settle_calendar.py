"""Let the bookings and places of a study room follow the calendar of its branch."""

from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import booking as rules
from services.events.domain import seat as seats
from services.events.domain.calendar import BranchCalendar
from services.events.usecases.booking_events import record_booking, record_ended_by_closure
from services.events.usecases.seat_events import record_closed
from shared.clock import library_day
from shared.contracts.events import BookingRestored
from shared.unit_of_work import Work

CHUNK = 50
"""Maximum number of bookings or places changed in one transaction; a job continues."""


@dataclass(frozen=True)
class SettleCalendar:
    """A branch, the library's time zone, and the most bookings or places to change."""

    branch: str
    zone: ZoneInfo
    most: int = CHUNK


def settle_calendar(work: Work, command: SettleCalendar) -> int:
    """End bookings and places on closed days, then restore bookings on open days.

    Return the number of bookings and places that were looked at; 0: all follow the calendar. A
    booking that is made or a season that is announced meanwhile writes the calendar, as its next
    version does, so none is made by an older one after this.
    """
    calendar = store.calendars.get(work, command.branch)
    if calendar is None or calendar.unsettled is None:
        return 0
    for step in (_end_bookings, _end_seats, _restore_bookings):
        if count := step(work, calendar, command):
            return count
    store.calendars.settle(work, calendar)
    return 0


def _end_bookings(work: Work, calendar: BranchCalendar, command: SettleCalendar) -> int:
    starts = store.bookings.starts_of_booked(work, calendar.id)
    closed = [one for one in starts if not _has_sessions(calendar, one, command.zone)]
    found = store.bookings.booked_at(work, calendar.id, closed, command.most)
    known = store.hold_patrons(work, {one.patron_id for one in found})
    for slot_id, of_slot in groupby(sorted(found, key=_slot), _slot):
        bookings = list(of_slot)
        slot = store.bookings.slot(work, slot_id)
        if slot is None:
            raise LookupError(f"the session {slot_id} does not exist")
        freed, ended = rules.end_all(slot, bookings)
        store.bookings.save_slot(work, freed)
        for one in bookings:
            store.bookings.delete(work, one)
        store.bookings.keep_closed(work, [one for one in ended if one.patron_id in known])
        closure = calendar.closure_on(library_day(slot.starts_at, command.zone))
        for one in ended:
            record_ended_by_closure(work, one, closure.id if closure else None)
    return len(found)


def _slot(booking: rules.Booking) -> str:
    return booking.slot_id


def _end_seats(work: Work, calendar: BranchCalendar, command: SettleCalendar) -> int:
    """End places that nobody took on closed days; those that were held are free again.

    A place that had lapsed is deleted too, so that nobody was absent while the library was closed.
    """
    days = store.seats.days_of(work, calendar.id)
    closed = [day for day in days if not calendar.has_sessions(day)]
    found = store.seats.not_taken_on(work, calendar.id, closed, command.most)
    for sitting_id, of_sitting in groupby(found, lambda one: one.sitting_id):
        ending = list(of_sitting)
        sitting = store.seats.sitting(work, sitting_id)
        season = store.seasons.get(work, ending[0].season_id)
        if sitting is None or season is None:
            raise LookupError(f"the sitting {sitting_id} or its season does not exist")
        held = sum(one.state == "held" for one in ending)
        store.seats.save_sitting(work, seats.freed(sitting, held))
        for one in ending:
            store.seats.delete(work, one)
            record_closed(work, season, sitting, seats.lapse(one))
    return len(found)


def _restore_bookings(work: Work, calendar: BranchCalendar, command: SettleCalendar) -> int:
    """Restore bookings that a closure ended, in the order in which they were made.

    One that can't be restored has ended for good.
    """
    starts = store.bookings.starts_of_closed(work, calendar.id)
    opened = [one for one in starts if _has_sessions(calendar, one, command.zone)]
    found = store.bookings.closed_at(work, calendar.id, opened, command.most)
    room = store.bookings.room(work, calendar.id)
    # Written before the bookings are read: concurrent bookings of one patron conflict in it.
    known = store.hold_patrons(work, {one.patron_id for one in found})
    for ended in found:
        store.bookings.delete_closed(work, ended)
        slot = store.bookings.slot(work, ended.slot_id)
        if slot is None or ended.patron_id not in known:
            continue
        others = store.bookings.all_of(work, ended.patron_id)
        if restored := rules.restore(room, slot, ended, others, work.now):
            counted, booking = restored
            store.bookings.save_slot(work, counted)
            store.bookings.add(work, booking)
            record_booking(work, BookingRestored, booking)
    return len(found)


def _has_sessions(calendar: BranchCalendar, starts_at: datetime, zone: ZoneInfo) -> bool:
    return calendar.has_sessions(library_day(starts_at, zone))
