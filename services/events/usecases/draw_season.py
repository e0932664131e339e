"""Draw the places of a season."""

from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain import season as rules
from services.events.domain.refusals import NoSuchSeason
from services.events.domain.season import Season
from services.events.usecases.admission_events import record_drawn
from services.events.usecases.settle_draw import outcomes_of, settle_some
from shared.unit_of_work import Work


@dataclass(frozen=True)
class DrawSeason:
    """The season to draw, and the day."""

    season_id: str
    today: date


def draw_season(work: Work, command: DrawSeason) -> Season:
    """Reveal the seed, which decides the draw; return the season.

    Stores the result of the first applications at once; a job continues with the others. Raises
    NoSuchSeason, ApplicationsStillOpen, TooEarlyToDraw or DrawnAlready.
    """
    season = store.seasons.get(work, command.season_id)
    if season is None:
        raise NoSuchSeason
    seed = store.seasons.seed(work, season.id)
    drawn = rules.reveal(season, seed, today=command.today, at=work.now)
    store.seasons.save(work, drawn)
    outcomes = outcomes_of(work, drawn)
    record_drawn(work, drawn, outcomes)
    return settle_some(work, drawn, outcomes)


@dataclass(frozen=True)
class ContinueDraw:
    """The season whose draw is not yet in every application."""

    season_id: str


def continue_draw(work: Work, command: ContinueDraw) -> bool:
    """Store the result of more applications; return False if the draw is finished."""
    season = store.seasons.get(work, command.season_id)
    if season is None or season.unfinished_since is None:
        return False
    settle_some(work, season, outcomes_of(work, season))
    return True
