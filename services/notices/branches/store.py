"""Collections of branches and of delays of ready holds."""

from collections.abc import Collection, Mapping
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.notices.branches.refusals import NoSuchBranch
from services.notices.branches.rules.branch import Branch
from services.notices.branches.rules.hours import ReadyDelay
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, SnapshotQuery, from_document, read_snapshot_page
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


def get(work: Work, code: str) -> Branch | None:
    """Return the branch with a code, or None."""
    return work.find(Branch, BRANCHES, {"_id": code})


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


def add(work: Work, branch: Branch) -> None:
    """Insert a new branch. The code is its id, so it is unique."""
    work.add(BRANCHES, branch)


def save(work: Work, branch: Branch) -> None:
    """Save the next version of a branch; of two writers of one version only one succeeds."""
    work.save(BRANCHES, branch)


async def find_one(db: Database, code: str) -> Branch | None:
    """Return the branch with a code, or None."""
    return await reading.first(db, Branch, BRANCHES, {"_id": code})


async def find_after(db: Database, after: str | None, limit: int) -> list[Branch]:
    """Return at most `limit` branches after a code, in order of code."""
    return await _find(db, {"_id": {"$gt": after or ""}}, limit)


async def find_in_closures(db: Database, closure_ids: Collection[str]) -> list[Branch]:
    """Return the branches that any of these closures covers, in order of code."""
    return await _find(db, {"closures.closure_id": {"$in": sorted(closure_ids)}})


async def _find(db: Database, query: Mapping[str, Any], limit: int = 0) -> list[Branch]:
    found = db[BRANCHES].find(query).sort("_id", ASCENDING).limit(limit)
    return [from_document(Branch, document) async for document in found]


async def find_page(db: Database, query: SnapshotQuery) -> tuple[list[Branch], str | None]:
    """Return a part of the branches and the id at which the next part begins."""
    return await read_snapshot_page(db[BRANCHES], Branch, query)


async def find_names(db: Database, codes: Collection[str], language: str) -> dict[str, str]:
    """Return the names of the registered branches among these codes in a language, by code."""
    if not codes:
        return {}
    found = db[BRANCHES].find({"_id": {"$in": sorted(codes)}}, {"name": 1, "names": 1})
    return {
        document["_id"]: document.get("names", {}).get(language, document["name"])
        async for document in found
    }


def get_ready_delay(work: Work, branch: str) -> ReadyDelay | None:
    """Return the delay of a branch, or None if it was never set."""
    return work.find(ReadyDelay, READY_DELAYS, {"_id": branch})


def save_ready_delay(work: Work, delay: ReadyDelay) -> None:
    """Save the next version of a delay; version 1 is a new one."""
    work.put(READY_DELAYS, delay)


async def find_ready_delay(db: Database, branch: str) -> ReadyDelay | None:
    """Return the delay of a branch, or None if it was never set."""
    return await reading.first(db, ReadyDelay, READY_DELAYS, {"_id": branch})
