"""Record a branch's calendar as notices has published it."""

from dataclasses import replace
from datetime import date

from services.events import store
from services.events.domain.calendar import (
    WHOLE_WEEK,
    BranchCalendar,
    Closure,
    Period,
    RoomHours,
    Terms,
    Trigger,
    Week,
)
from shared.contracts import calendars
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Origin, Work

STUDY_ROOM = "study-room"


def note_calendar(work: Work, event: BranchSnapshot) -> None:
    """Save the branch's calendar, unless a newer one is known.

    If its study room has bookings or places, a job then lets them follow it. One that is made at
    the same moment writes the calendar too, so that it follows the new one.
    """
    calendar = calendar_of(event)
    if store.bookings.has_any(work, event.branch) or store.seats.has_any(work, event.branch):
        calendar = replace(calendar, unsettled=trigger_of(work.origin))
    store.calendars.note(work, calendar)


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
