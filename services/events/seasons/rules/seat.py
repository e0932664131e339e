"""Seats: the places of a study room in one session of one day, and who takes them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.events.seasons import refusals
from services.events.seasons.rules.season import Application, Season

State = Literal["held", "checked-in", "lapsed"]
"""`held` until the patron comes; `lapsed` once the time to come is over."""

EARLY = timedelta(minutes=15)
"""Time before a session from which patrons may come in."""


@dataclass(frozen=True, kw_only=True)
class Sitting:
    """One session of one day in one room. All changes of its seats write it, and so conflict."""

    id: str
    season_id: str
    branch: str
    day: date
    session: int
    """Ordinal of the session on its day, from 1."""
    starts_at: datetime
    ends_at: datetime
    free: int = 0
    """Number of places that nobody holds because nobody is left on the standby list."""
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class Seat:
    """A place in a sitting, held for one application."""

    id: str
    sitting_id: str
    season_id: str
    application_id: str
    patron_id: str
    until: datetime
    """Time until which the patron can come; then the place goes to the next on standby."""
    promoted: bool = False
    """True if the application was on the standby list."""
    state: State = "held"
    version: int = 1


def sitting_now(season: Season, branch: str, now: datetime, zone: ZoneInfo) -> Sitting:
    """Return the sitting that patrons may enter now, as it is before anyone came.

    Raises NoSessionNow.
    """
    for sitting in sittings_of(season, branch, now.astimezone(zone).date(), zone):
        if sitting.starts_at - EARLY <= now < sitting.ends_at:
            return sitting
    raise refusals.NoSessionNow


def sittings_of(season: Season, branch: str, day: date, zone: ZoneInfo) -> list[Sitting]:
    """Return the sittings of a room on a day, before anyone came; none outside the season."""
    if season.drawn_at is None or not season.valid_from <= day <= season.valid_until:
        return []
    return [
        Sitting(
            id=f"{season.id}.{branch}.{day}.{number}",
            season_id=season.id,
            branch=branch,
            day=day,
            session=number,
            starts_at=_instant(day, session.opens, zone),
            ends_at=_instant(day, session.closes, zone),
        )
        for number, session in enumerate(season.sessions, 1)
    ]


def _instant(day: date, clock: str, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def seat(
    season: Season, sitting: Sitting, application: Application, since: datetime, *, seat_id: str
) -> Seat:
    """Return a place in a sitting that is held for an application from `since` on."""
    return Seat(
        id=seat_id,
        sitting_id=sitting.id,
        season_id=season.id,
        application_id=application.id,
        patron_id=application.patron_id,
        until=min(since + timedelta(minutes=season.grace_minutes), sitting.ends_at),
        promoted=application.state == "standby",
    )


def check_in(found: Seat, sitting: Sitting, now: datetime) -> tuple[Seat, Sitting]:
    """Return a seat that its patron takes, and its sitting, with one free place less if it lapsed.

    Raises CheckedInAlready or PlaceLapsed.
    """
    if found.state == "checked-in":
        raise refusals.CheckedInAlready
    taken = replace(found, state="checked-in", version=found.version + 1)
    if found.state == "lapsed" and sitting.free > 0:
        return taken, freed(sitting, -1)
    if found.state == "lapsed" or found.until <= now:
        raise refusals.PlaceLapsed
    return taken, sitting


def take_free(held: Seat, sitting: Sitting) -> tuple[Seat, Sitting]:
    """Return a new seat whose patron takes a free place, and the sitting without that place.

    Raises NoPlaceInSession.
    """
    if sitting.free < 1:
        raise refusals.NoPlaceInSession
    return replace(held, state="checked-in"), freed(sitting, -1)


def lapse(found: Seat) -> Seat:
    """Return a seat whose patron did not come in time."""
    return replace(found, state="lapsed", version=found.version + 1)


def next_in_line(standby: Sequence[Application], seated: Sequence[Seat]) -> Application | None:
    """Return the first on the standby list who has had no place in this sitting yet."""
    had = {one.application_id for one in seated}
    return next((one for one in standby if one.id not in had), None)


def freed(sitting: Sitting, count: int) -> Sitting:
    """Return a sitting with more free places, or fewer, as its next version."""
    return replace(sitting, free=sitting.free + count, version=sitting.version + 1)
