"""Collections of enquiries and their messages."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any

import pymongo
from pymongo import ASCENDING, DESCENDING, IndexModel

from services.notices.enquiries.rules.enquiries import Enquiry, Message
from shared.deadlines import allowed
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document, strings
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

ENQUIRIES = "enquiries"
MESSAGES = "enquiry_messages"
OPEN = {"$ne": "closed"}
SUGGESTED = {"$type": "object"}
MOST_COUNTED = 20_000
"""Number of enquiries from which figures are made."""
MOST_FOUND = 1_000
"""Number of messages that a search finds, the newest of them."""
SEARCH_SECONDS = 0.7
"""Time limit of a search, which must not slow down other reads."""

OF_BRANCH = "of_branch"  # the name of an index, for hints

INDEXES: Indexes = {
    ENQUIRIES: sharded_by(
        "_id",
        [
            IndexModel([("patron_id", ASCENDING), ("changed_at", DESCENDING), ("_id", DESCENDING)]),
            IndexModel([("state", ASCENDING), ("changed_at", ASCENDING), ("_id", ASCENDING)]),
            # The questions that wait for the staff of a branch, or of any.
            IndexModel(
                [("branch", ASCENDING), ("state", ASCENDING), ("_id", ASCENDING)], name=OF_BRANCH
            ),
            IndexModel([("opened_at", ASCENDING)]),
            IndexModel([("changed_at", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("merged_into", ASCENDING)]),
            IndexModel(
                [("guest", ASCENDING), ("changed_at", ASCENDING)],
                partialFilterExpression={"guest": {"$type": "string"}},
            ),
            IndexModel([("librarian.name", ASCENDING)]),
            IndexModel(
                [("changed_at", ASCENDING), ("_id", ASCENDING), ("state", ASCENDING)],
                partialFilterExpression={"wanted": SUGGESTED},
            ),
            IndexModel(
                [
                    ("librarian.id", ASCENDING),
                    ("state", ASCENDING),
                    ("changed_at", ASCENDING),
                    ("_id", ASCENDING),
                ]
            ),
        ],
    ),
    MESSAGES: sharded_by(
        "enquiry_id",
        [
            IndexModel([("enquiry_id", ASCENDING), ("number", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("terms", ASCENDING), ("_id", DESCENDING)]),
        ],
    ),
}
PERSONAL = (
    Personal(ENQUIRIES, leave_out=("librarian", "notes")),
    # Notes of the staff are not for the patron, nor are the names of librarians.
    Personal(
        MESSAGES,
        "enquiry_id",
        part_of=ENQUIRIES,
        leave_out=("author",),
        only={"private": False},
    ),
)

_ENQUIRIES = Repository(Enquiry, ENQUIRIES)
get = _ENQUIRIES.get
save = _ENQUIRIES.put
find_one = _ENQUIRIES.find
find_open = partial(_ENQUIRIES.find_page, where={"state": OPEN})
"""Return the open enquiries of a query, and the id at which the next part begins."""

_MESSAGES = Repository(Message, MESSAGES)
add_message = _MESSAGES.add


def having(words: Sequence[str]) -> dict[str, Any]:
    """Return the condition that each word begins one of a document's terms.

    The index finds the documents of the rarest word; the other words filter them.
    """
    return {"$and": [{"terms": {"$regex": f"^{re.escape(word)}"}} for word in words]}


async def count_new(db: Database, branch: str, most: int) -> int:
    """Return the number of new enquiries for the staff of a branch, or for anyone.

    It is `most` + 1 if there are more than `most`.
    """
    where = {"branch": {"$in": [branch, None]}, "state": "new"}
    found: int = await db[ENQUIRIES].count_documents(where, limit=most + 1, hint=OF_BRANCH)
    return found


def count_open(work: Work, patron_id: str) -> int:
    """Return the number of a patron's enquiries that are not closed."""
    return work.count(ENQUIRIES, {"patron_id": patron_id, "state": OPEN})


def count_open_of_guest(work: Work, guest: str) -> int:
    """Return the number of a guest's enquiries that are not closed."""
    return work.count(ENQUIRIES, {"guest": strings(guest), "state": OPEN})


def merged_into(work: Work, enquiry_id: str) -> list[Enquiry]:
    """Return the enquiries that were merged into one."""
    return work.all(Enquiry, ENQUIRIES, {"merged_into": enquiry_id})


def add_note(work: Work, note: Message) -> None:
    """Insert a note, and count it in its enquiry, whose version stays.

    So no erasure of the enquiry can commit meanwhile and leave the note behind.
    """
    work.update(ENQUIRIES, {"_id": note.enquiry_id}, {"$inc": {"notes": 1}})
    work.add(MESSAGES, note)


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete all enquiries of a patron with their messages."""
    theirs = [one.id for one in work.all(Enquiry, ENQUIRIES, {"patron_id": patron_id})]
    work.delete(MESSAGES, {"enquiry_id": {"$in": theirs}})
    work.delete(ENQUIRIES, {"patron_id": patron_id})


def delete(work: Work, enquiry_id: str) -> None:
    """Delete an enquiry with its messages."""
    work.delete(MESSAGES, {"enquiry_id": enquiry_id})
    work.delete(ENQUIRIES, {"_id": enquiry_id})


async def find_messages(db: Database, enquiry_id: str, *, notes: bool) -> list[Message]:
    """Return the messages of an enquiry, oldest first, with the notes if asked for."""
    query = {"enquiry_id": enquiry_id} | ({} if notes else {"private": False})
    found = db[MESSAGES].find(query, {"terms": 0}).sort([("number", ASCENDING), ("_id", ASCENDING)])
    return [from_document(Message, document) async for document in found]


async def find_with_words(db: Database, words: Sequence[str]) -> list[str]:
    """Return the ids of enquiries of which a message or note has all words, of MOST_FOUND."""
    with pymongo.timeout(allowed(SEARCH_SECONDS)):
        newest = db[MESSAGES].find(having(words), {"enquiry_id": 1}).sort("_id", DESCENDING)
        return sorted({message["enquiry_id"] async for message in newest.limit(MOST_FOUND)})


async def find_merged(db: Database, into: str) -> dict[str, str]:
    """Return the subjects of the enquiries that were merged into one, by id."""
    found = db[ENQUIRIES].find({"merged_into": into}, {"subject": 1}).sort("_id", ASCENDING)
    return {document["_id"]: document["subject"] async for document in found}


async def find_subjects(db: Database, ids: Collection[str]) -> dict[str, str]:
    """Return the subjects of these enquiries, by id."""
    if not ids:
        return {}
    found = db[ENQUIRIES].find({"_id": {"$in": sorted(ids)}}, {"subject": 1})
    return {document["_id"]: document["subject"] async for document in found}


async def find_times_since(db: Database, since: datetime) -> list[tuple[datetime, datetime | None]]:
    """Return the times of opening, from an instant on, and of the first answer.

    At most MOST_COUNTED of them.
    """
    times = {"opened_at": 1, "first_answered_at": 1}
    found = db[ENQUIRIES].find({"opened_at": {"$gte": since}}, times).limit(MOST_COUNTED)
    return [(one["opened_at"], one["first_answered_at"]) async for one in found]


async def count_unanswered(
    db: Database, opened_from: datetime | None, opened_before: datetime | None
) -> int:
    """Return the number of enquiries without an answer that were opened in a span of time."""
    span = {"$gte": opened_from, "$lt": opened_before}
    opened = {name: instant for name, instant in span.items() if instant is not None}
    query = {"state": {"$in": ["new", "assigned"]}, **({"opened_at": opened} if opened else {})}
    return await db[ENQUIRIES].count_documents(query)


async def find_where(
    db: Database,
    where: Mapping[str, Any],
    after: tuple[datetime, str] | None,
    limit: int,
    *,
    newest_first: bool,
) -> list[Enquiry]:
    """Return at most `limit` enquiries that match, by their last change, after a time and id."""
    order, beyond = (DESCENDING, "$lt") if newest_first else (ASCENDING, "$gt")
    query = dict(where)
    if after is not None:
        at, enquiry_id = after
        query["$or"] = [
            {"changed_at": {beyond: at}},
            {"changed_at": at, "_id": {beyond: enquiry_id}},
        ]
    found = db[ENQUIRIES].find(query).sort([("changed_at", order), ("_id", order)]).limit(limit)
    return [from_document(Enquiry, document) async for document in found]


async def find_of_guests(db: Database, states: Sequence[str], changed_until: datetime) -> list[str]:
    """Return the ids of guests' enquiries of these states that did not change after an instant."""
    query = {
        "guest": {"$type": "string"},
        "state": {"$in": list(states)},
        "changed_at": {"$lte": changed_until},
    }
    return [one["_id"] async for one in db[ENQUIRIES].find(query, {"_id": 1})]
