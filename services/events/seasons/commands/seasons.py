"""Announce seasons, close their lists of applications, draw their places, and purge them."""

import secrets
from collections.abc import Sequence
from datetime import date

from services.events.calendars import store as calendars_store
from services.events.refusals import NoSuchBranch
from services.events.seasons.events import record_card_given, record_drawn, record_result
from services.events.seasons.refusals import NoSuchSeason, SeasonsOverlap
from services.events.seasons.rules import ballot as ballot_rules
from services.events.seasons.rules import season as season_rules
from services.events.seasons.rules.ballot import Outcome, Room, commitment
from services.events.seasons.rules.season import BALLOT_KEPT, Season, Seed, Session, check_season
from services.events.seasons.store import seasons as seasons_store
from services.events.seasons.store import seats as seats_store
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def announce_season(
    work: Work,
    *,
    name: str,
    rooms: Sequence[Room],
    sessions: Sequence[Session],
    applications_from: date,
    applications_until: date,
    draw_on: date,
    valid_from: date,
    valid_until: date,
    grace_minutes: int,
) -> Season:
    """Announce the season, with the commitment to the seed of its draw.

    Raises BadSeason, NoSuchBranch, or SeasonsOverlap if a room has another season on a day.
    """
    seed = secrets.token_hex(32)
    season = Season(
        id=new_id(),
        name=name,
        rooms=rooms,
        sessions=sessions,
        applications_from=applications_from,
        applications_until=applications_until,
        draw_on=draw_on,
        valid_from=valid_from,
        valid_until=valid_until,
        grace_minutes=grace_minutes,
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
        raise NoSuchBranch(branches=", ".join(sorted(unknown)))
    if taken:
        raise SeasonsOverlap(branches=", ".join(sorted(taken)))
    seasons_store.add(work, season, Seed(id=season.id, seed=seed))
    return season


def close_applications(work: Work, season_id: str, today: date) -> Season:
    """Close the list, so that it is published; return the season.

    Raises NoSuchSeason, ApplicationsClosed or ApplicationsStillOpen.
    """
    season = or_refuse(seasons_store.get(work, season_id), NoSuchSeason)
    applications = seasons_store.applications(work, season.id, "applied")
    entries = [one.entry for one in applications]
    closed, ballot = season_rules.close(season, entries, today=today, at=work.now)
    seasons_store.save(work, closed)
    seasons_store.add_ballot(work, ballot)
    return closed


def purge_sittings(work: Work, sitting_ids: Sequence[str]) -> int:
    """Delete sittings; return their number."""
    return seats_store.delete_sittings(work, sitting_ids)


def purge_season(work: Work, season_id: str, today: date) -> bool:
    """Delete the season; return False if it is kept, or still has applications."""
    season = seasons_store.get(work, season_id)
    if season is None or season.valid_until >= today - BALLOT_KEPT:
        return False
    if seasons_store.count_applications(work, season.id):
        return False
    seasons_store.delete(work, season)
    return True


CHUNK = 50
"""Maximum number of applications changed in one transaction; a job continues with the others."""


def outcomes_of(work: Work, season: Season) -> dict[str, Outcome]:
    """Return the result of the draw, by branch, from the closed list and the revealed seed."""
    closed = seasons_store.ballot(work, season.id)
    if closed is None or season.seed is None:
        raise LookupError(f"the season {season.id} is not drawn")
    return ballot_rules.draw(closed.entries, season.rooms, season.seed)


def settle_some(work: Work, season: Season, outcomes: dict[str, Outcome]) -> Season:
    """Store the result of the next applications, at most CHUNK; return the season.

    Once all have their result, the places of those who withdrew since the closing of the list go
    to the standby list.
    """
    waiting = seasons_store.applications(work, season.id, "applied", limit=CHUNK)
    results = [season_rules.result(one, outcomes[one.branch]) for one in waiting]
    seasons_store.save_applications(work, results)
    for one in results:
        record_result(work, season, one)
    given = 0
    if not waiting:
        for room in season.rooms:
            given += _give(work, season, room.branch, CHUNK - given)
    settled = season_rules.settled(season, unfinished=bool(waiting) or given == CHUNK)
    seasons_store.save(work, settled)
    return settled


def give_free_places(work: Work, season: Season, branch: str, today: date) -> Season:
    """Give the free places of a room to the first on its standby list; return the season.

    Writes the season, so that concurrent withdrawals do not give the same place. Gives none while
    a draw is unfinished, because the job does so at its end, and none once the season is over.
    """
    finished = season.drawn_at is not None and season.unfinished_since is None
    if finished and today <= season.valid_until:
        _give(work, season, branch, CHUNK)
    settled = season_rules.settled(season, unfinished=True)
    seasons_store.save(work, settled)
    return settled


def _give(work: Work, season: Season, branch: str, most: int) -> int:
    free = season.room(branch).places - seasons_store.count_granted(work, season.id, branch)
    limit = min(free, most)
    if limit <= 0:
        return 0
    found = seasons_store.applications(work, season.id, "standby", branch=branch, limit=limit)
    given = [season_rules.grant(one) for one in found]
    seasons_store.save_applications(work, given)
    for one in given:
        record_card_given(work, season, one)
    return len(given)


def draw_season(work: Work, season_id: str, today: date) -> Season:
    """Reveal the seed, which decides the draw; return the season.

    Stores the result of the first applications at once; a job continues with the others. Raises
    NoSuchSeason, ApplicationsStillOpen, TooEarlyToDraw or DrawnAlready.
    """
    season = or_refuse(seasons_store.get(work, season_id), NoSuchSeason)
    seed = seasons_store.seed(work, season.id)
    drawn = season_rules.reveal(season, seed, today=today, at=work.now)
    seasons_store.save(work, drawn)
    outcomes = outcomes_of(work, drawn)
    record_drawn(work, drawn, outcomes)
    return settle_some(work, drawn, outcomes)


def continue_draw(work: Work, season_id: str) -> bool:
    """Store the result of more applications; return False if the draw is finished."""
    season = seasons_store.get(work, season_id)
    if season is None or season.unfinished_since is None:
        return False
    settle_some(work, season, outcomes_of(work, season))
    return True
