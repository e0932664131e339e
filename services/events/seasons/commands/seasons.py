"""Announce seasons, close their lists of applications, and purge them."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.events.calendars import store as calendars_store
from services.events.calendars.refusals import NoSuchBranch
from services.events.seasons.refusals import NoSuchSeason, SeasonsOverlap
from services.events.seasons.rules import season as season_rules
from services.events.seasons.rules.ballot import Room, commitment
from services.events.seasons.rules.season import BALLOT_KEPT, Season, Seed, Session, check_season
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AnnounceSeason:
    """A new season as entered by staff."""

    name: str
    rooms: Sequence[Room]
    sessions: Sequence[Session]
    applications_from: date
    applications_until: date
    draw_on: date
    valid_from: date
    valid_until: date
    grace_minutes: int


def announce_season(work: Work, command: AnnounceSeason) -> Season:
    """Announce the season, with the commitment to the seed of its draw.

    Raises BadSeason, NoSuchBranch, or SeasonsOverlap if a room has another season on a day.
    """
    seed = secrets.token_hex(32)
    season = Season(
        id=new_id(),
        name=command.name,
        rooms=command.rooms,
        sessions=command.sessions,
        applications_from=command.applications_from,
        applications_until=command.applications_until,
        draw_on=command.draw_on,
        valid_from=command.valid_from,
        valid_until=command.valid_until,
        grace_minutes=command.grace_minutes,
        commitment=commitment(seed),
    )
    check_season(season)
    unknown, taken = [], []
    for room in season.rooms:
        # Written, so that of two seasons at the same moment the second finds the first.
        if calendars_store.hold(work, room.branch) is None:
            unknown.append(room.branch)
        elif seasons_store.with_room_between(
            work, room.branch, season.valid_from.isoformat(), season.valid_until.isoformat()
        ):
            taken.append(room.branch)
    if unknown:
        raise NoSuchBranch(unknown)
    if taken:
        raise SeasonsOverlap(taken)
    seasons_store.add(work, season, Seed(id=season.id, seed=seed))
    return season


@dataclass(frozen=True)
class CloseApplications:
    """The season whose list is closed, and the day."""

    season_id: str
    today: date


def close_applications(work: Work, command: CloseApplications) -> Season:
    """Close the list, so that it is published; return the season.

    Raises NoSuchSeason, ApplicationsClosed or ApplicationsStillOpen.
    """
    season = seasons_store.get(work, command.season_id)
    if season is None:
        raise NoSuchSeason
    applications = seasons_store.applications(work, season.id, "applied")
    entries = [one.entry for one in applications]
    closed, ballot = season_rules.close(season, entries, today=command.today, at=work.now)
    seasons_store.save(work, closed)
    seasons_store.add_ballot(work, ballot)
    return closed


@dataclass(frozen=True)
class PurgeSeason:
    """A season that is deleted with its seed and its ballot, and the day."""

    season_id: str
    today: date


def purge_sittings(work: Work, sitting_ids: Sequence[str]) -> int:
    """Delete sittings; return their number."""
    return seats_store.delete_sittings(work, sitting_ids)


def purge_season(work: Work, command: PurgeSeason) -> bool:
    """Delete the season; return False if it is kept, or still has applications."""
    season = seasons_store.get(work, command.season_id)
    if season is None or season.valid_until >= command.today - BALLOT_KEPT:
        return False
    if seasons_store.count_applications(work, season.id):
        return False
    seasons_store.delete(work, season)
    return True
