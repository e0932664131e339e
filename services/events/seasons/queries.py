"""Reads of seasons, applications and sittings."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.events.calendars import store as calendars_store
from services.events.seasons.refusals import NoSuchSeason, NotApplied, NotClosed
from services.events.seasons.rules.ballot import Entry, Outcome, draw
from services.events.seasons.rules.season import Application, Season
from services.events.seasons.rules.seat import Sitting, sittings_of
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.mongo import Database
from shared.refusals import or_refuse


@dataclass(frozen=True)
class Admission:
    """A patron's application with its season."""

    application: Application
    season: Season
    place_until: datetime | None
    """Time until which a place is held for a patron on the standby list; None if none is."""


@dataclass(frozen=True)
class Published:
    """The ballot of a season as everyone sees it: `outcomes` is empty before the draw."""

    season: Season
    entries: Sequence[Entry]
    outcomes: Mapping[str, Outcome]


async def season(db: Database, season_id: str) -> Season:
    """Return a season. Raises NoSuchSeason."""
    return or_refuse(await seasons_store.find_one(db, season_id), NoSuchSeason)


async def published_ballot(db: Database, season_id: str) -> Published:
    """Return the closed list of a season, and the result once it is drawn.

    Raises NoSuchSeason, or NotClosed while patrons can still apply.
    """
    found = await season(db, season_id)
    ballot = or_refuse(await seasons_store.find_ballot(db, season_id), NotClosed)
    outcomes = draw(ballot.entries, found.rooms, found.seed) if found.seed else {}
    return Published(found, ballot.entries, outcomes)


async def admission(db: Database, season_id: str, patron_id: str, now: datetime) -> Admission:
    """Return a patron's application for a season. Raises NoSuchSeason or NotApplied."""
    found = await season(db, season_id)
    application = await seasons_store.find_application_of(db, season_id, patron_id)
    if application is None:
        raise NotApplied
    return Admission(application, found, await _place_until(db, application, now))


async def admissions_to_come(
    db: Database, patron_id: str, now: datetime, today: date
) -> list[Admission]:
    """Return a patron's applications for seasons that are not over, by their end."""
    found = await seasons_store.find_applications_of(db, patron_id)
    seasons = await seasons_store.find_by_id(db, {one.season_id for one in found})
    ahead = [
        Admission(one, seasons[one.season_id], await _place_until(db, one, now))
        for one in found
        if seasons[one.season_id].valid_until >= today
    ]
    return sorted(ahead, key=lambda one: (one.season.valid_until, one.application.id))


async def sittings_with_work(
    db: Database, now: datetime, zone: ZoneInfo
) -> list[tuple[str, Sitting]]:
    """Return the sittings to open, or with places to pass on, each with the id of its season.

    Those of yesterday too, whose last places lapse with them. One that is over is not opened, and
    none has work while the library is closed.
    """
    today = now.astimezone(zone).date()
    begun: list[tuple[str, Sitting]] = []
    for day in (today - timedelta(days=1), today):
        for one in await seasons_store.find_valid(db, day.isoformat()):
            for room in one.rooms:
                sittings = sittings_of(one, room.branch, day, zone)
                begun += [(one.id, each) for each in sittings if each.starts_at <= now]
    calendars = await calendars_store.find(db, {sitting.branch for _, sitting in begun})
    begun = [
        (season_id, sitting)
        for season_id, sitting in begun
        if sitting.branch not in calendars or calendars[sitting.branch].has_sessions(sitting.day)
    ]
    ids = {sitting.id for _, sitting in begun}
    opened = await seats_store.find_opened(db, ids)
    due = await seats_store.find_due(db, ids, now)
    return [
        (season_id, sitting)
        for season_id, sitting in begun
        if sitting.id in due or (sitting.id not in opened and now < sitting.ends_at)
    ]


async def _place_until(db: Database, application: Application, now: datetime) -> datetime | None:
    """Return until when a place is held for a patron on the standby list; None if none is."""
    seat = await seats_store.find_place_of(db, application.id, now)
    return None if seat is None else seat.until
