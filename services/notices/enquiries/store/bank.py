"""The question bank, and the votes on its answers."""

from collections.abc import Sequence
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.enquiries.rules.bank import BankQuestion, Vote
from services.notices.enquiries.store.enquiries import having
from shared.deadlines import allowed
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

BANK = "bank_questions"
VOTES = "bank_votes"
SEARCH_SECONDS = 0.7
"""Time limit of a search: anybody may search, and it must not slow down other reads."""

INDEXES: Indexes = {
    BANK: [
        IndexModel([("withdrawn", ASCENDING), ("_id", DESCENDING)]),
        IndexModel([("terms", ASCENDING), ("_id", DESCENDING)]),
    ],
    VOTES: sharded_by("patron_id", [IndexModel([("patron_id", ASCENDING)])]),
}

_BANK = Repository(BankQuestion, BANK)
get = _BANK.get
"""Return a question, which may be withdrawn, or None."""
save = _BANK.put


def get_vote(work: Work, question_id: str, patron_id: str) -> Vote | None:
    """Return a patron's vote on a question, or None."""
    return work.find(Vote, VOTES, {"_id": f"{question_id}:{patron_id}"})


def save_vote(work: Work, vote: Vote, counted: BankQuestion) -> None:
    """Save a vote, and the numbers of votes of its question; version 1 is a new vote."""
    work.put(VOTES, vote)
    numbers = {"helpful": counted.helpful, "unhelpful": counted.unhelpful}
    work.update(BANK, {"_id": counted.id}, {"$set": numbers})


def delete_votes(work: Work, patron_id: str) -> None:
    """Delete all votes of a patron; they stay counted."""
    work.delete(VOTES, {"patron_id": patron_id})


async def find_one(db: Database, question_id: str) -> BankQuestion | None:
    """Return a question, which may be withdrawn, or None."""
    found = await db[BANK].find_one({"_id": question_id}, {"terms": 0})
    return None if found is None else from_document(BankQuestion, found)


async def find_matching(
    db: Database, words: Sequence[str], after: str | None, limit: int
) -> list[BankQuestion]:
    """Return at most `limit` published questions that have all words, the newest first."""
    query: dict[str, Any] = {"withdrawn": False}
    if after is not None:
        query["_id"] = {"$lt": after}
    if words:
        query |= having(words)
    with pymongo.timeout(allowed(SEARCH_SECONDS)):
        found = db[BANK].find(query, {"terms": 0}).sort("_id", DESCENDING).limit(limit)
        return [from_document(BankQuestion, document) async for document in found]
