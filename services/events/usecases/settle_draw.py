"""Steps that give applications the result of the draw, and free places to the standby list."""

from datetime import date

from services.events import store
from services.events.domain import ballot
from services.events.domain import season as rules
from services.events.domain.ballot import Outcome
from services.events.domain.season import Season
from services.events.usecases.admission_events import record_card_given, record_result
from shared.unit_of_work import Work

CHUNK = 50
"""Maximum number of applications changed in one transaction; a job continues with the others."""


def outcomes_of(work: Work, season: Season) -> dict[str, Outcome]:
    """Return the result of the draw, by branch, from the closed list and the revealed seed."""
    closed = store.seasons.ballot(work, season.id)
    if closed is None or season.seed is None:
        raise LookupError(f"the season {season.id} is not drawn")
    return ballot.draw(closed.entries, season.rooms, season.seed)


def settle_some(work: Work, season: Season, outcomes: dict[str, Outcome]) -> Season:
    """Store the result of the next applications, at most CHUNK; return the season.

    Once all have their result, the places of those who withdrew since the closing of the list go
    to the standby list.
    """
    waiting = store.seasons.applications(work, season.id, "applied", limit=CHUNK)
    results = [rules.result(one, outcomes[one.branch]) for one in waiting]
    store.seasons.save_applications(work, results)
    for one in results:
        record_result(work, season, one)
    given = 0
    if not waiting:
        for room in season.rooms:
            given += _give(work, season, room.branch, CHUNK - given)
    settled = rules.settled(season, unfinished=bool(waiting) or given == CHUNK)
    store.seasons.save(work, settled)
    return settled


def give_free_places(work: Work, season: Season, branch: str, today: date) -> Season:
    """Give the free places of a room to the first on its standby list; return the season.

    Writes the season, so that concurrent withdrawals do not give the same place. Gives none while
    a draw is unfinished, because the job does so at its end, and none once the season is over.
    """
    finished = season.drawn_at is not None and season.unfinished_since is None
    if finished and today <= season.valid_until:
        _give(work, season, branch, CHUNK)
    settled = rules.settled(season, unfinished=True)
    store.seasons.save(work, settled)
    return settled


def _give(work: Work, season: Season, branch: str, most: int) -> int:
    free = season.room(branch).places - store.seasons.count_granted(work, season.id, branch)
    limit = min(free, most)
    if limit <= 0:
        return 0
    found = store.seasons.applications(work, season.id, "standby", branch=branch, limit=limit)
    given = [rules.grant(one) for one in found]
    store.seasons.save_applications(work, given)
    for one in given:
        record_card_given(work, season, one)
    return len(given)
