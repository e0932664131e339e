"""Delete what is no longer kept of a season of the study rooms."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.events import store
from services.events.domain.season import BALLOT_KEPT
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeSeason:
    """A season that is deleted with its seed and its ballot, and the day."""

    season_id: str
    today: date


def purge_sittings(work: Work, sitting_ids: Sequence[str]) -> int:
    """Delete sittings; return their number."""
    return store.seats.delete_sittings(work, sitting_ids)


def purge_season(work: Work, command: PurgeSeason) -> bool:
    """Delete the season; return False if it is kept, or still has applications."""
    season = store.seasons.get(work, command.season_id)
    if season is None or season.valid_until >= command.today - BALLOT_KEPT:
        return False
    if store.seasons.count_applications(work, season.id):
        return False
    store.seasons.delete(work, season)
    return True
