"""Close the list of applications for a season."""

from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain import season as rules
from services.events.domain.refusals import NoSuchSeason
from services.events.domain.season import Season
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CloseApplications:
    """The season whose list is closed, and the day."""

    season_id: str
    today: date


def close_applications(work: Work, command: CloseApplications) -> Season:
    """Close the list, so that it is published; return the season.

    Raises NoSuchSeason, ApplicationsClosed or ApplicationsStillOpen.
    """
    season = store.seasons.get(work, command.season_id)
    if season is None:
        raise NoSuchSeason
    applications = store.seasons.applications(work, season.id, "applied")
    entries = [one.entry for one in applications]
    closed, ballot = rules.close(season, entries, today=command.today, at=work.now)
    store.seasons.save(work, closed)
    store.seasons.add_ballot(work, ballot)
    return closed
