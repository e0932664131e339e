"""Collections of branches and of delays of ready holds."""

from collections.abc import Collection, Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.branches.refusals import NoSuchBranch
from services.notices.branches.rules.branch import Branch
from services.notices.branches.rules.hours import ReadyDelay
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

BRANCHES = "branches"

READY_DELAYS = "ready_delays"

INDEXES: Indexes = {
    BRANCHES: [
        IndexModel([("kind", ASCENDING)]),
        IndexModel([("closures.closure_id", ASCENDING)]),
    ],
    READY_DELAYS: [],
}

_BRANCHES = Repository(Branch, BRANCHES)
get = _BRANCHES.get
add = _BRANCHES.add
"""Insert a new branch. The code is its id, so it is unique."""
save = _BRANCHES.save
find_one = _BRANCHES.find
find_page = _BRANCHES.find_page

_READY_DELAYS = Repository(ReadyDelay, READY_DELAYS)
get_ready_delay = _READY_DELAYS.get
"""Return the delay of a branch, or None if it was never set."""
save_ready_delay = _READY_DELAYS.put
find_ready_delay = _READY_DELAYS.find


def existing(work: Work, code: str) -> Branch:
    """Return a branch. Raises NoSuchBranch."""
    branch = get(work, code)
    if branch is None:
        raise NoSuchBranch(branches=[code])
    return branch


def some(work: Work, codes: Collection[str] = (), kinds: Collection[str] = ()) -> list[Branch]:
    """Return the branches with one of these codes or of one of these kinds, in order of code."""
    query = {"$or": [{"_id": {"$in": sorted(codes)}}, {"kind": {"$in": sorted(kinds)}}]}
    return work.all(Branch, BRANCHES, query, sort=[("_id", ASCENDING)])


async def find_after(db: Database, after: str | None, limit: int) -> list[Branch]:
    """Return at most `limit` branches after a code, in order of code."""
    return await _find(db, {"_id": {"$gt": after or ""}}, limit)


async def find_in_closures(db: Database, closure_ids: Collection[str]) -> list[Branch]:
    """Return the branches that any of these closures covers, in order of code."""
    return await _find(db, {"closures.closure_id": {"$in": sorted(closure_ids)}})


async def _find(db: Database, query: Mapping[str, Any], limit: int = 0) -> list[Branch]:
    found = db[BRANCHES].find(query).sort("_id", ASCENDING).limit(limit)
    return [from_document(Branch, document) async for document in found]


async def find_names(db: Database, codes: Collection[str], language: str) -> dict[str, str]:
    """Return the names of the registered branches among these codes in a language, by code."""
    if not codes:
        return {}
    found = db[BRANCHES].find({"_id": {"$in": sorted(codes)}}, {"name": 1, "names": 1})
    return {
        document["_id"]: document.get("names", {}).get(language, document["name"])
        async for document in found
    }
