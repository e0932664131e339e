"""The question bank. A search reads all its questions, of which a library has some thousands."""

import re
from collections.abc import Sequence
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.domain.bank import BankQuestion
from shared.mongo import Database, Indexes, from_document
from shared.unit_of_work import Work

BANK = "bank_questions"
SEARCH_SECONDS = 0.7
"""Time limit of a search: anybody may search, and it must not slow down other reads."""

INDEXES: Indexes = {BANK: [IndexModel([("withdrawn", ASCENDING), ("_id", DESCENDING)])]}


async def get(work: Work, question_id: str) -> BankQuestion | None:
    """Return a question, which may be withdrawn, or None."""
    return await work.find(BankQuestion, BANK, {"_id": question_id})


async def save(work: Work, question: BankQuestion) -> None:
    """Save the next version of a question; version 1 is a new one."""
    if question.version == 1:
        await work.add(BANK, question)
    else:
        await work.save(BANK, question)


async def add_vote(work: Work, question_id: str, *, helpful: bool) -> None:
    """Count a vote."""
    name = "helpful" if helpful else "unhelpful"
    await work.update(BANK, {"_id": question_id}, {"$inc": {name: 1}})


async def find_one(db: Database, question_id: str) -> BankQuestion | None:
    """Return a question, which may be withdrawn, or None."""
    found = await db[BANK].find_one({"_id": question_id})
    return None if found is None else from_document(BankQuestion, found)


async def find_matching(
    db: Database, words: Sequence[str], after: str | None, limit: int
) -> list[BankQuestion]:
    """Return at most `limit` published questions that have all words, the newest first."""
    query: dict[str, Any] = {"withdrawn": False}
    if after is not None:
        query["_id"] = {"$lt": after}
    if words:
        query["$and"] = [{"search": {"$regex": re.escape(word)}} for word in words]
    with pymongo.timeout(SEARCH_SECONDS):
        found = db[BANK].find(query).sort("_id", DESCENDING).limit(limit)
        return [from_document(BankQuestion, document) async for document in found]
