"""Letters among the deliveries, and the runs that print them."""

from collections.abc import Collection

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.channels.rules.deliveries import POST, Letter
from services.notices.channels.rules.letters import LetterRun
from services.notices.channels.store.deliveries import DELIVERIES, KEPT_DAYS
from shared.declared_indexes import Indexes
from shared.mongo import Database, Document, from_document, strings
from shared.repository import Repository
from shared.unit_of_work import Work

LETTER_RUNS = "letter_runs"
INDEXES: Indexes = {
    LETTER_RUNS: [
        IndexModel([("day", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("made_at", ASCENDING)], expireAfterSeconds=KEPT_DAYS * 24 * 3600),
    ],
}
_HELD = {"channel": POST, "state": "held"}
_FIRST = [("queued_at", ASCENDING), ("_id", ASCENDING)]

_LETTER_RUNS = Repository(LetterRun, LETTER_RUNS)
get_run = _LETTER_RUNS.get
save_run = _LETTER_RUNS.put
find_run = _LETTER_RUNS.find


def held_for(work: Work, patron_id: str) -> list[Letter]:
    """Return the letters to a patron that were not printed."""
    return work.all(Letter, DELIVERIES, {"patron_id": patron_id, **_HELD})


def still_held(work: Work, ids: Collection[str]) -> dict[str, Letter]:
    """Return those of these letters that were not printed yet, by id."""
    found = work.all(Letter, DELIVERIES, {"_id": {"$in": sorted(ids)}, **_HELD})
    return {letter.id: letter for letter in found}


async def find_held(db: Database, branch: str, limit: int) -> list[Letter]:
    """Return at most `limit` letters that wait at a library, the first queued first."""
    found = db[DELIVERIES].find({"branch": branch, **_HELD}).sort(_FIRST).limit(limit)
    return [from_document(Letter, document) async for document in found]


async def count_held(db: Database) -> dict[str, int]:
    """Return the number of patrons to whom letters wait, by library."""
    stages: list[Document] = [
        {"$match": {"branch": {"$type": "string"}, **_HELD}},
        {"$group": {"_id": {"branch": "$branch", "patron": "$patron_id"}}},
        {"$group": {"_id": "$_id.branch", "patrons": {"$sum": 1}}},
        {"$sort": {"_id": 1}},
    ]
    return {one["_id"]: one["patrons"] async for one in db[DELIVERIES].aggregate(stages)}


async def find_printed(db: Database, run_id: str) -> list[Letter]:
    """Return the letters of a run in the order of their numbers."""
    order = [("number", ASCENDING), *_FIRST]
    found = db[DELIVERIES].find({"run_id": strings(run_id)}).sort(order)
    return [from_document(Letter, document) async for document in found]


async def find_runs(db: Database, before: str | None, limit: int) -> list[LetterRun]:
    """Return at most `limit` runs, the latest day first, from the one after a run on."""
    query: Document = {}
    if before is not None:
        day = before[-10:]
        query = {"$or": [{"day": {"$lt": day}}, {"day": day, "_id": {"$lt": before}}]}
    found = db[LETTER_RUNS].find(query).sort([("day", DESCENDING), ("_id", DESCENDING)])
    return [from_document(LetterRun, document) async for document in found.limit(limit)]
