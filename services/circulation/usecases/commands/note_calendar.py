"""Record a branch's calendar as notices has published it."""

from services.circulation import store
from services.circulation.domain.branch_calendar import (
    AnnouncedClosure,
    AnnouncedWeek,
    Announcement,
    BranchCalendar,
)
from services.circulation.domain.rework import branch_rework_id
from services.circulation.domain.sweep import Trigger, begin
from shared.contracts import calendars
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Work

WEEK = frozenset(range(1, 8))


def note_calendar(work: Work, event: BranchSnapshot) -> None:
    """Save the branch's calendar, unless a newer one is known.

    Workers then sweep the branch's holds, loans and fines. Until they are done, the rules follow
    the calendar, not the stored dates.
    """
    calendar = calendar_of(event)
    if store.calendars.note(work, calendar):
        known = store.sweeps.get(work, calendar.id)
        origin = work.origin
        trigger = Trigger(origin.now, origin.correlation_id, origin.causation_id)
        store.sweeps.save(work, begin(known, calendar.id, calendar.version, trigger))
    store.reworks.want(work, branch_rework_id(event.branch), event.version)


def calendar_of(event: BranchSnapshot) -> BranchCalendar:
    """Return the calendar in a snapshot."""
    return BranchCalendar(
        id=event.branch,
        version=event.version,
        kind=event.kind,
        weekly_closed=_closed(event.hours),
        closures=tuple(_closure(closure) for closure in event.closures),
        weeks=tuple(
            AnnouncedWeek(week.version, week.from_, _closed(week.hours))
            for week in event.hours_history
        ),
    )


def _closed(hours: tuple[calendars.Hours, ...]) -> frozenset[int]:
    """Return the ISO weekdays without hours.

    A branch for which no hours are published has no weekly closing days, only closures.
    """
    opens = {one.weekday + 1 for one in hours}
    return WEEK - opens if opens else frozenset()


def _closure(closure: calendars.ClosureOut) -> AnnouncedClosure:
    return AnnouncedClosure(
        id=closure.closure_id,
        starts_on=closure.from_,
        reason=closure.reason,
        announcements=tuple(
            Announcement(
                version=said.version,
                at=said.at,
                reopened_on=said.reopened_on,
                starts_on=said.from_,
                reason=said.reason,
                in_error=said.in_error,
                stagger_days=said.stagger_days,
                on_terms=said.on_terms,
                special_closed=(
                    None if said.special_hours is None else _closed(said.special_hours)
                ),
            )
            for said in closure.announcements
        ),
        extra_renewals=closure.extra_renewals,
    )
