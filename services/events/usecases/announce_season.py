"""Announce a season of the study rooms."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain.ballot import Room, commitment
from services.events.domain.refusals import NoSuchBranch, SeasonsOverlap
from services.events.domain.season import Season, Seed, Session, check_season
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
        if store.calendars.hold(work, room.branch) is None:
            unknown.append(room.branch)
        elif store.seasons.with_room_between(
            work, room.branch, season.valid_from.isoformat(), season.valid_until.isoformat()
        ):
            taken.append(room.branch)
    if unknown:
        raise NoSuchBranch(unknown)
    if taken:
        raise SeasonsOverlap(taken)
    store.seasons.add(work, season, Seed(id=season.id, seed=seed))
    return season
