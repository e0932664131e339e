"""Preview what planned calendars of branches would do in their study rooms."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain.calendar import BranchCalendar
from services.events.domain.season import Season
from services.events.domain.seat import Sitting, sittings_of
from services.events.usecases.settle_calendar import SettleCalendar, settle_calendar
from shared.clock import library_day
from shared.unit_of_work import Work

ALL = 1_000_000


@dataclass(frozen=True)
class PreviewCalendars:
    """Calendars as they would be, and the library's time zone."""

    calendars: Sequence[BranchCalendar]
    zone: ZoneInfo


@dataclass(frozen=True)
class SeasonSession:
    """A session of a season that would not take place, and the number of its admission cards."""

    season: Season
    sitting: Sitting
    cards: int


def preview_calendars(work: Work, command: PreviewCalendars) -> list[SeasonSession]:
    """Store the calendars and let bookings follow them; return the sessions of seasons that end.

    It is tried out only: the events that it records are the bookings that would end or come back.
    """
    found: list[SeasonSession] = []
    for calendar in command.calendars:
        before = store.calendars.get(work, calendar.id)
        if not store.calendars.note(work, calendar):
            continue
        found += _of_seasons(work, before, calendar, command.zone)
        while settle_calendar(work, SettleCalendar(calendar.id, command.zone, ALL)):
            pass
    return found


def _of_seasons(
    work: Work, before: BranchCalendar | None, after: BranchCalendar, zone: ZoneInfo
) -> list[SeasonSession]:
    today = library_day(work.now, zone)
    found = []
    for season in store.seasons.with_room(work, after.id, since=today.isoformat()):
        cards = store.seasons.count_granted(work, season.id, after.id)
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
