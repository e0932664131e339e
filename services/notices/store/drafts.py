"""Drafts of notices, which only staff see."""

from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.notices.domain.notice import NoticeDraft
from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Stale, Work

DRAFTS = "notice_drafts"

INDEXES: Indexes = {DRAFTS: [IndexModel([("publish_at", ASCENDING)])]}


def get(work: Work, draft_id: str) -> NoticeDraft | None:
    """Return a draft by its id, or None."""
    return work.find(NoticeDraft, DRAFTS, {"_id": draft_id})


def add(work: Work, draft: NoticeDraft) -> None:
    """Insert a new draft."""
    work.add(DRAFTS, draft)


def save(work: Work, draft: NoticeDraft) -> None:
    """Save the next version of a draft."""
    work.save(DRAFTS, draft)


def delete(work: Work, draft: NoticeDraft) -> None:
    """Delete a draft at its version. Raises Stale if it was changed or deleted since."""
    if not work.delete(DRAFTS, {"_id": draft.id, "version": draft.version}):
        raise Stale("the draft is no longer at its version")


async def find_one(db: Database, draft_id: str) -> NoticeDraft | None:
    """Return a draft by its id, or None."""
    found = await db[DRAFTS].find_one({"_id": draft_id})
    return None if found is None else from_document(NoticeDraft, found)


async def find_before(db: Database, after: str | None, limit: int) -> list[NoticeDraft]:
    """Return at most `limit` drafts before an id, the newest first."""
    query = {} if after is None else {"_id": {"$lt": after}}
    found = db[DRAFTS].find(query).sort("_id", -1).limit(limit)
    return [from_document(NoticeDraft, document) async for document in found]


async def find_due(db: Database, now: datetime, limit: int) -> list[str]:
    """Return the ids of drafts to publish by now, at most `limit`."""
    query = {"publish_at": {"$ne": None, "$lte": now}}
    found = db[DRAFTS].find(query, {"_id": 1}).sort("publish_at", ASCENDING).limit(limit)
    return [document["_id"] async for document in found]
