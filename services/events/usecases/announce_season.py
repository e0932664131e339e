"""Announce a season of the study rooms."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain.ballot import Room, commitment
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


async def announce_season(work: Work, command: AnnounceSeason) -> Season:
    """Announce the season, with the commitment to the seed of its draw. Raises BadSeason."""
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
    await store.seasons.add(work, season, Seed(id=season.id, seed=seed))
    return season
