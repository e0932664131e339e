"""Seasons of the study rooms: their seeds, applications and closed lists."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.events.seasons.rules.season import Application, Ballot, Season, Seed
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document, strings
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Stale, Work

SEASONS = "study_seasons"
SEEDS = "study_seeds"
BALLOTS = "study_ballots"
APPLICATIONS = "study_applications"
_UNFINISHED = {"unfinished_since": {"$type": "date"}}

INDEXES: Indexes = {
    SEASONS: [
        IndexModel([("valid_until", ASCENDING), ("_id", ASCENDING)]),
        IndexModel([("unfinished_since", ASCENDING)], partialFilterExpression=_UNFINISHED),
    ],
    SEEDS: [],
    BALLOTS: [],
    APPLICATIONS: [
        # Guarantee one application for each patron, and each paper number once.
        IndexModel([("patron_id", ASCENDING), ("season_id", ASCENDING)], unique=True),
        IndexModel(
            [("season_id", ASCENDING), ("paper_number", ASCENDING)],
            unique=True,
            partialFilterExpression={"paper_number": {"$type": "string"}},
        ),
        IndexModel([("season_id", ASCENDING), ("code", ASCENDING)]),
        # The applications of a season without a result, the cards of a room, and its standby list.
        IndexModel(
            [
                ("season_id", ASCENDING),
                ("state", ASCENDING),
                ("branch", ASCENDING),
                ("standby_number", ASCENDING),
            ]
        ),
        IndexModel([("season_id", ASCENDING), ("_id", ASCENDING)]),
    ],
}
PERSONAL = (Personal(APPLICATIONS),)

_SEASONS = Repository(Season, SEASONS)
get = _SEASONS.get
save = _SEASONS.save
find_one = _SEASONS.find
find_by_id = _SEASONS.find_some

_BALLOTS = Repository(Ballot, BALLOTS)
add_ballot = _BALLOTS.add
ballot = _BALLOTS.get
find_ballot = _BALLOTS.find

_APPLICATIONS = Repository(Application, APPLICATIONS)
add_application = _APPLICATIONS.add
application = _APPLICATIONS.get
"""Return an application; None if it has ended."""
find_applications = _APPLICATIONS.find_page
delete_application = _APPLICATIONS.remove


# ---- in a transaction ---------------------------------------------------------------------------


def add(work: Work, season: Season, seed: Seed) -> None:
    """Insert a new season with its secret seed."""
    work.add(SEASONS, season)
    work.add(SEEDS, seed)


def count(work: Work, season_id: str, change: int) -> None:
    """Count an application more or fewer, so that a concurrent closing of the list conflicts."""
    work.update(SEASONS, {"_id": season_id}, {"$inc": {"applications": change}})


def seed(work: Work, season_id: str) -> str:
    """Return the secret seed of a season."""
    found = work.find(Seed, SEEDS, {"_id": season_id})
    if found is None:
        raise LookupError(f"the season {season_id} has no seed")
    return found.seed


def application_of(work: Work, season_id: str, patron_id: str) -> Application | None:
    """Return a patron's application for a season; None if there is none or it has ended."""
    query = {"patron_id": patron_id, "season_id": season_id}
    return work.find(Application, APPLICATIONS, query)


def application_with_code(work: Work, season_id: str, code: str) -> Application | None:
    """Return the application whose card has this code; None if there is none."""
    return work.find(Application, APPLICATIONS, {"season_id": season_id, "code": code})


def is_paper_taken(work: Work, season_id: str, paper_number: str) -> bool:
    """Return whether an application by post has this number."""
    query = {"season_id": season_id, "paper_number": strings(paper_number)}
    return bool(work.count(APPLICATIONS, query))


def applications(
    work: Work, season_id: str, state: str, *, branch: str | None = None, limit: int = 0
) -> list[Application]:
    """Return applications in a state, at most `limit` (0: all), the first on standby first."""
    query = {"season_id": season_id, "state": state}
    if branch is not None:
        query["branch"] = branch
    order = [("branch", ASCENDING), ("standby_number", ASCENDING)]
    return work.all(Application, APPLICATIONS, query, sort=order, limit=limit)


def count_applications(work: Work, season_id: str) -> int:
    """Return the number of applications for a season that have not ended."""
    return work.count(APPLICATIONS, {"season_id": season_id})


def delete(work: Work, season: Season) -> None:
    """Delete a season with its seed and its ballot. Raises Stale if it has changed since."""
    if not work.delete(SEASONS, {"_id": season.id, "version": season.version}):
        raise Stale(f"the season {season.id} is no longer at its version")
    work.delete(SEEDS, {"_id": season.id})
    work.delete(BALLOTS, {"_id": season.id})


def count_granted(work: Work, season_id: str, branch: str) -> int:
    """Return the number of admission cards of a room."""
    query = {"season_id": season_id, "state": "granted", "branch": branch}
    return work.count(APPLICATIONS, query)


def save_applications(work: Work, applications: Sequence[Application]) -> None:
    """Save applications after a change."""
    work.save(APPLICATIONS, *applications)


def with_room_between(work: Work, branch: str, first: str, last: str) -> bool:
    """Return whether a season has the study room of a branch on one of these days."""
    query = {"valid_until": {"$gte": first}, "valid_from": {"$lte": last}, "rooms.branch": branch}
    return bool(work.count(SEASONS, query))


def with_room(work: Work, branch: str, since: str) -> list[Season]:
    """Return the seasons that have the study room of a branch on a day or later."""
    query = {"valid_until": {"$gte": since}, "rooms.branch": branch}
    return work.all(Season, SEASONS, query, sort=[("valid_until", ASCENDING)])


def has_room_on(work: Work, branch: str, day: str) -> bool:
    """Return whether a season has the study room of a branch on a day."""
    return bool(work.count(SEASONS, _with_room_on(branch, day)))


# ---- reads outside transactions -----------------------------------------------------------------


async def find_all(db: Database, since: str, limit: int) -> list[Season]:
    """Return seasons whose cards are valid on a day or later, at most `limit`, by their end."""
    order = [("valid_until", ASCENDING), ("_id", ASCENDING)]
    cursor = db[SEASONS].find({"valid_until": {"$gte": since}}).sort(order).limit(limit)
    return [from_document(Season, document) async for document in cursor]


async def find_room_on(db: Database, branch: str, day: str) -> bool:
    """Return the same as `has_room_on`, read outside any transaction."""
    return await db[SEASONS].find_one(_with_room_on(branch, day), {"_id": 1}) is not None


def _with_room_on(branch: str, day: str) -> Mapping[str, Any]:
    return {"valid_until": {"$gte": day}, "valid_from": {"$lte": day}, "rooms.branch": branch}


async def find_valid(db: Database, day: str) -> list[Season]:
    """Return the drawn seasons whose cards are valid on a day."""
    query = {"valid_until": {"$gte": day}, "valid_from": {"$lte": day}, "seed": {"$ne": None}}
    return [from_document(Season, document) async for document in db[SEASONS].find(query)]


async def find_ended_before(db: Database, day: str) -> list[str]:
    """Return the ids of the seasons whose cards were last valid before a day, oldest first."""
    query = {"valid_until": {"$lt": day}}
    found = db[SEASONS].find(query, {"_id": 1}).sort("valid_until", ASCENDING)
    return [document["_id"] async for document in found]


async def find_application_ids(db: Database, season_id: str) -> AsyncIterator[str]:
    """Yield the ids of the applications for a season that have not ended."""
    async for found in db[APPLICATIONS].find({"season_id": season_id}, {"_id": 1}):
        yield found["_id"]


async def unfinished(db: Database) -> dict[str, datetime]:
    """Return the seasons whose draw is not yet in every application, with its business time."""
    found = db[SEASONS].find(_UNFINISHED, {"unfinished_since": 1})
    return {document["_id"]: document["unfinished_since"] async for document in found}


async def find_application_of(db: Database, season_id: str, patron_id: str) -> Application | None:
    """Return the same as `application_of`, read outside any transaction."""
    query = {"patron_id": patron_id, "season_id": season_id}
    return await reading.first(db, Application, APPLICATIONS, query)


async def find_applications_of(db: Database, patron_id: str) -> list[Application]:
    """Return a patron's applications, in the order of applying."""
    return await _list(db, {"patron_id": patron_id}, 0)


async def list_applications(
    db: Database, season_id: str, after: str, limit: int
) -> list[Application]:
    """Return the applications for a season after an id, at most `limit`."""
    return await _list(db, {"season_id": season_id, "_id": {"$gt": after}}, limit)


async def _list(db: Database, query: Mapping[str, Any], limit: int) -> list[Application]:
    cursor = db[APPLICATIONS].find(query).sort("_id", ASCENDING).limit(limit)
    return [from_document(Application, document) async for document in cursor]
