"""Collections of notices and drafts."""

from datetime import datetime
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.notices.rules import EarlierNotice, Notice, NoticeDraft
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

NOTICES = "notices"
EARLIER = "earlier_notices"

DRAFTS = "notice_drafts"

INDEXES: Indexes = {
    NOTICES: [
        IndexModel([("date", DESCENDING), ("_id", DESCENDING)]),
        IndexModel([("branches", ASCENDING), ("date", DESCENDING), ("_id", DESCENDING)]),
    ],
    EARLIER: [IndexModel([("notice_id", ASCENDING), ("version", DESCENDING)])],
    DRAFTS: [IndexModel([("publish_at", ASCENDING)])],
}

_NOTICES = Repository(Notice, NOTICES)
add = _NOTICES.add
save = _NOTICES.save
find_page = _NOTICES.find_page

_EARLIER = Repository(EarlierNotice, EARLIER)
keep_earlier = _EARLIER.add

_DRAFTS = Repository(NoticeDraft, DRAFTS)
get_draft = _DRAFTS.get
add_draft = _DRAFTS.add
save_draft = _DRAFTS.save
find_draft = _DRAFTS.find
delete_draft = _DRAFTS.remove


def get(work: Work, notice_id: str) -> Notice | None:
    """Return the notice with an id unless it is withdrawn, or None."""
    return work.find(Notice, NOTICES, {"_id": notice_id, "withdrawn_at": None})


def delete_earlier(work: Work, notice_id: str) -> None:
    """Delete the earlier texts of a notice that is withdrawn."""
    work.delete(EARLIER, {"notice_id": notice_id})


async def find_earlier(db: Database, notice_id: str, limit: int) -> list[EarlierNotice]:
    """Return the earlier texts of a notice, the newest first, at most `limit`."""
    found = db[EARLIER].find({"notice_id": notice_id}).sort("version", DESCENDING).limit(limit)
    return [from_document(EarlierNotice, document) async for document in found]


async def find_one(db: Database, notice_id: str) -> Notice | None:
    """Return the notice with an id unless it is withdrawn, or None."""
    return await reading.first(db, Notice, NOTICES, {"_id": notice_id, "withdrawn_at": None})


async def find_before(
    db: Database,
    branch: str | None,
    after: tuple[str, str] | None,
    limit: int,
    *,
    tombstones: bool = False,
) -> list[Notice]:
    """Return at most `limit` notices, newest first, after a date and id.

    With `branch`, those that concern it; a notice of the whole library concerns every branch.
    With `tombstones`, also withdrawn ones.
    """
    query: dict[str, Any] = {} if tombstones else {"withdrawn_at": None}
    if branch is not None:
        query["branches"] = {"$in": [branch, []]}
    if after is not None:
        query["$or"] = [{"date": {"$lt": after[0]}}, {"date": after[0], "_id": {"$lt": after[1]}}]
    order = [("date", DESCENDING), ("_id", DESCENDING)]
    found = db[NOTICES].find(query).sort(order).limit(limit)
    return [from_document(Notice, document) async for document in found]


async def find_drafts_before(db: Database, after: str | None, limit: int) -> list[NoticeDraft]:
    """Return at most `limit` drafts before an id, the newest first."""
    query = {} if after is None else {"_id": {"$lt": after}}
    found = db[DRAFTS].find(query).sort("_id", -1).limit(limit)
    return [from_document(NoticeDraft, document) async for document in found]


async def find_due_drafts(db: Database, now: datetime, limit: int) -> list[str]:
    """Return the ids of drafts to publish by now, at most `limit`."""
    query = {"publish_at": {"$ne": None, "$lte": now}}
    found = db[DRAFTS].find(query, {"_id": 1}).sort("publish_at", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]
