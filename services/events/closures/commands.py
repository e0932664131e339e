"""Record calendars of branches, and let bookings and places follow them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from zoneinfo import ZoneInfo

from services.events.bookings import rules as bookings_rules
from services.events.bookings import store as bookings_store
from services.events.bookings.events import record_booking, record_ended_by_closure
from services.events.calendars import store as calendars_store
from services.events.calendars.rules import (
    WHOLE_WEEK,
    BranchCalendar,
    Closure,
    Period,
    RoomHours,
    Terms,
    Trigger,
    Week,
)
from services.events.patrons import store as patrons_store
from services.events.seasons.events import record_closed
from services.events.seasons.rules import seat as seat_rules
from services.events.seasons.rules.season import Season
from services.events.seasons.rules.seat import Sitting, sittings_of
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.clock import library_day
from shared.contracts import calendars
from shared.contracts.events import BookingRestored
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Origin, Work

STUDY_ROOM = "study-room"


def note_calendar(work: Work, event: BranchSnapshot) -> None:
    """Save the branch's calendar, unless a newer one is known.

    If its study room has bookings or places, a job then lets them follow it. One that is made at
    the same moment writes the calendar too, so that it follows the new one.
    """
    calendar = calendar_of(event)
    if bookings_store.has_any(work, event.branch) or seats_store.has_any(work, event.branch):
        calendar = replace(calendar, unsettled=trigger_of(work.origin))
    calendars_store.note(work, calendar)


def trigger_of(origin: Origin) -> Trigger:
    """Return what work that follows from an event names of its origin."""
    return Trigger(origin.now, origin.correlation_id, origin.causation_id)


def calendar_of(event: BranchSnapshot) -> BranchCalendar:
    """Return the calendar in a snapshot."""
    history = [
        Week(week.version, week.from_, _weekdays(week.hours) or WHOLE_WEEK)
        for week in event.hours_history
    ]
    always = Week(0, date.min, _weekdays(event.hours) or WHOLE_WEEK)
    hours = next((one for one in event.service_hours if one.service == STUDY_ROOM), None)
    said = [(closure.announcements[-1], closure) for closure in event.closures]
    return BranchCalendar(
        id=event.branch,
        version=event.version,
        closures=tuple(
            Closure(closure.closure_id, last.from_ or closure.from_, last.reopened_on)
            for last, closure in said
        ),
        weeks=tuple(history) or (always,),
        terms=tuple(
            Terms(
                last.version,
                last.reopened_on,
                None if last.special_hours is None else _weekdays(last.special_hours),
            )
            for last, _ in said
            if last.on_terms and last.reopened_on is not None
        ),
        room=_room(hours) if hours else None,
    )


def _room(hours: calendars.ServiceHours) -> RoomHours:
    periods = (Period(one.from_, one.until, _weekdays(one.hours)) for one in hours.periods)
    return RoomHours(_weekdays(hours.hours), tuple(periods))


def _weekdays(hours: tuple[calendars.Hours, ...]) -> frozenset[int]:
    return frozenset(one.weekday for one in hours)


CHUNK = 50
"""Maximum number of bookings or places changed in one transaction; a job continues."""


def settle_calendar(work: Work, branch: str, zone: ZoneInfo, most: int = CHUNK) -> int:
    """End bookings and places on closed days, then restore bookings on open days.

    At most `most` change. Return the number that were looked at; 0: all follow the calendar. A
    booking that is made or a season that is announced meanwhile writes the calendar, as its next
    version does, so none is made by an older one after this.
    """
    calendar = calendars_store.get(work, branch)
    if calendar is None or calendar.unsettled is None:
        return 0
    for step in (_end_bookings, _end_seats, _restore_bookings):
        if count := step(work, calendar, zone, most):
            return count
    calendars_store.settle(work, calendar)
    return 0


def _end_bookings(work: Work, calendar: BranchCalendar, zone: ZoneInfo, most: int) -> int:
    starts = bookings_store.starts_of_booked(work, calendar.id)
    closed = [one for one in starts if not _has_sessions(calendar, one, zone)]
    found = bookings_store.booked_at(work, calendar.id, closed, most)
    known = patrons_store.hold_patrons(work, {one.patron_id for one in found})
    for slot_id, of_slot in groupby(sorted(found, key=_slot), _slot):
        bookings = list(of_slot)
        slot = bookings_store.slot(work, slot_id)
        if slot is None:
            raise LookupError(f"the session {slot_id} does not exist")
        freed, ended = bookings_rules.end_all(slot, bookings)
        bookings_store.save_slot(work, freed)
        for one in bookings:
            bookings_store.delete(work, one)
        bookings_store.keep_closed(work, [one for one in ended if one.patron_id in known])
        closure = calendar.closure_on(library_day(slot.starts_at, zone))
        for one in ended:
            record_ended_by_closure(work, one, closure.id if closure else None)
    return len(found)


def _slot(booking: bookings_rules.Booking) -> str:
    return booking.slot_id


def _end_seats(work: Work, calendar: BranchCalendar, _: ZoneInfo, most: int) -> int:
    """End places that nobody took on closed days; those that were held are free again.

    A place that had lapsed is deleted too, so that nobody was absent while the library was closed.
    """
    days = seats_store.days_of(work, calendar.id)
    closed = [day for day in days if not calendar.has_sessions(day)]
    found = seats_store.not_taken_on(work, calendar.id, closed, most)
    for sitting_id, of_sitting in groupby(found, lambda one: one.sitting_id):
        ending = list(of_sitting)
        sitting = seats_store.sitting(work, sitting_id)
        season = seasons_store.get(work, ending[0].season_id)
        if sitting is None or season is None:
            raise LookupError(f"the sitting {sitting_id} or its season does not exist")
        held = sum(one.state == "held" for one in ending)
        seats_store.save_sitting(work, seat_rules.freed(sitting, held))
        for one in ending:
            seats_store.delete(work, one)
            record_closed(work, season, sitting, seat_rules.lapse(one))
    return len(found)


def _restore_bookings(work: Work, calendar: BranchCalendar, zone: ZoneInfo, most: int) -> int:
    """Restore bookings that a closure ended, in the order in which they were made.

    One that can't be restored has ended for good.
    """
    starts = bookings_store.starts_of_closed(work, calendar.id)
    opened = [one for one in starts if _has_sessions(calendar, one, zone)]
    found = bookings_store.closed_at(work, calendar.id, opened, most)
    room = bookings_store.room(work, calendar.id)
    # Written before the bookings are read: concurrent bookings of one patron conflict in it.
    known = patrons_store.hold_patrons(work, {one.patron_id for one in found})
    for ended in found:
        bookings_store.delete_closed(work, ended)
        slot = bookings_store.slot(work, ended.slot_id)
        if slot is None or ended.patron_id not in known:
            continue
        others = bookings_store.all_of(work, ended.patron_id)
        if restored := bookings_rules.restore(room, slot, ended, others, work.now):
            counted, booking = restored
            bookings_store.save_slot(work, counted)
            bookings_store.add(work, booking)
            record_booking(work, BookingRestored, booking)
    return len(found)


def _has_sessions(calendar: BranchCalendar, starts_at: datetime, zone: ZoneInfo) -> bool:
    return calendar.has_sessions(library_day(starts_at, zone))


ALL = 1_000_000


@dataclass(frozen=True)
class SeasonSession:
    """A session of a season that would not take place, and the number of its admission cards."""

    season: Season
    sitting: Sitting
    cards: int


def preview_calendars(
    work: Work, calendars: Sequence[BranchCalendar], zone: ZoneInfo
) -> list[SeasonSession]:
    """Store the calendars and let bookings follow them; return the sessions of seasons that end.

    It is tried out only: the events that it records are the bookings that would end or come back.
    """
    found: list[SeasonSession] = []
    for calendar in calendars:
        before = calendars_store.get(work, calendar.id)
        if not calendars_store.note(work, calendar):
            continue
        found += _of_seasons(work, before, calendar, zone)
        while settle_calendar(work, calendar.id, zone, ALL):
            pass
    return found


def _of_seasons(
    work: Work, before: BranchCalendar | None, after: BranchCalendar, zone: ZoneInfo
) -> list[SeasonSession]:
    today = library_day(work.now, zone)
    found = []
    for season in seasons_store.with_room(work, after.id, since=today.isoformat()):
        cards = seasons_store.count_granted(work, season.id, after.id)
        for day in _days(max(season.valid_from, today), season.valid_until):
            if after.has_sessions(day) or (before and not before.has_sessions(day)):
                continue
            sittings = sittings_of(season, after.id, day, zone)
            found += [
                SeasonSession(season, one, cards) for one in sittings if work.now < one.ends_at
            ]
    return found


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)
