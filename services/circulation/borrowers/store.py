"""Patron data from accounts, circulation's own counts, linked cards and reading history."""

from collections.abc import AsyncIterator, Collection
from typing import Any

from pymongo import ASCENDING, DESCENDING, IndexModel

from services.circulation.rules.history import PastLoan, Reader
from services.circulation.rules.hold import Hold
from services.circulation.rules.loan import Loan
from services.circulation.rules.override import Override, Reason
from services.circulation.rules.patron import Borrower, Link, Patron
from shared import reading
from shared.clock import wall_clock
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import new_id
from shared.mongo import Database
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

TOMBSTONE_DAYS = 30
"""Days for which an ended link is remembered, like the ids of processed events."""

OVERRIDE_DAYS = 366
"""Days for which the reason of an override is kept."""

INDEXES: Indexes = {
    "patrons": sharded_by(
        "_id", [IndexModel([("card_digest", ASCENDING)])]
    ),  # not unique: see `loans.store.facts.check_out_facts`
    "borrowers": sharded_by("_id", []),
    "links": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING), ("member_id", ASCENDING)]),
            IndexModel([("ended_at", ASCENDING)], expireAfterSeconds=TOMBSTONE_DAYS * 86_400),
        ],
    ),
    "history": sharded_by(
        "patron_id", [IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)])]
    ),
    "readers": sharded_by("_id", []),
    "overrides": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
            IndexModel([("at", ASCENDING)], expireAfterSeconds=OVERRIDE_DAYS * 86_400),
        ],
    ),
}
PERSONAL = (
    Personal("patrons", "_id", leave_out=("card_digest",)),
    Personal("borrowers", "_id"),
    Personal("links"),
    Personal("readers", "_id"),
    Personal("history"),
    Personal("overrides", leave_out=("by",)),
)

_PATRONS = Repository(Patron, "patrons")
get_patron = _PATRONS.get
note_patron = _PATRONS.note

_BORROWERS = Repository(Borrower, "borrowers")
save_borrower = _BORROWERS.put

_READERS = Repository(Reader, "readers")
get_reader = _READERS.get
"""Return a patron's choice about reading history; None if there is none."""
note_reader = _READERS.note

_LINKS = Repository(Link, "links")
note_link = _LINKS.note


async def find_digests(
    db: Database, patron_ids: Collection[str] | None, size: int
) -> AsyncIterator[dict[str, str]]:
    """Yield digests of cards in chunks, by patron id: of all patrons, or of these."""
    chunk: dict[str, str] = {}
    query: dict[str, Any] = {"card_digest": {"$gt": ""}}
    if patron_ids is not None:
        query["_id"] = {"$in": sorted(patron_ids)}
    async for found in db.patrons.find(query, {"card_digest": 1}):
        chunk[found["_id"]] = found["card_digest"]
        if len(chunk) == size:
            yield chunk
            chunk = {}
    if chunk:
        yield chunk


def borrower(work: Work, patron_id: str) -> Borrower:
    """Return the counts of a patron."""
    return borrowers(work, [patron_id])[patron_id]


def borrowers(work: Work, patron_ids: Collection[str]) -> dict[str, Borrower]:
    """Return the counts of some patrons, keyed by patron id."""
    counts = work.all(Borrower, "borrowers", {"_id": {"$in": sorted(patron_ids)}})
    return {id_: Borrower(id_) for id_ in patron_ids} | {each.id: each for each in counts}


async def find_patron(db: Database, patron_id: str) -> tuple[Patron | None, Borrower]:
    """Return a patron's data from accounts, if any, and the counts."""
    patron = await reading.first(db, Patron, "patrons", {"_id": patron_id})
    counts = await reading.first(db, Borrower, "borrowers", {"_id": patron_id})
    return patron, counts or Borrower(patron_id)


def add_override(work: Work, made: Loan | Hold, code: str, reason: Reason) -> None:
    """Store why a loan, renewal or hold was made despite a refusal; the audit trail names it."""
    override = Override(
        id=new_id(),
        patron_id=made.patron_id,
        made_id=made.id,
        code=code,
        reason=reason.text,
        by=reason.by,
        at=wall_clock(),
    )
    work.add("overrides", override)
    work.concern(override.id)


async def find_overrides(
    db: Database, patron_id: str, limit: int, after: str | None
) -> list[Override]:
    """Return up to `limit` + 1 of the overrides for a patron, oldest first."""
    query = {"patron_id": patron_id}
    return await reading.page(db, Override, "overrides", query, limit=limit, after=after)


def are_linked(work: Work, patron_id: str, member_id: str) -> bool:
    """Return whether the cards of two patrons are linked, by both sides of the link.

    The first side that ends is enough, because the events of the two can come apart.
    """
    sides = [
        {"patron_id": patron_id, "member_id": member_id},
        {"patron_id": member_id, "member_id": patron_id},
    ]
    return work.count("links", {"$or": sides}) == len(sides)


def add_to_history(work: Work, past: PastLoan) -> None:
    """Add a loan to its patron's reading history.

    Also writes the patron's choice, so that a change of it in a concurrent transaction conflicts,
    and one of the two is retried.
    """
    work.update("readers", {"_id": past.patron_id}, {"$inc": {"moves": 1}})
    work.add("history", past)


async def find_years(db: Database, patron_id: str, most: int) -> list[tuple[int, int, int]]:
    """Return year, loans and titles in a patron's history by the year of return, newest first."""
    stages: list[dict[str, Any]] = [
        {"$match": {"patron_id": patron_id}},
        {
            "$group": {
                "_id": {"$substrBytes": ["$returned_on", 0, 4]},
                "loans": {"$sum": 1},
                "titles": {"$addToSet": "$title_id"},
            }
        },
        {"$sort": {"_id": DESCENDING}},
        {"$limit": most},
    ]
    found = db.history.aggregate(stages)
    return [(int(one["_id"]), one["loans"], len(one["titles"])) async for one in found]


def purge_history(work: Work, patron_id: str) -> int:
    """Delete a patron's history; return the number of loans in it."""
    return work.delete("history", {"patron_id": patron_id})


def purge_reader(work: Work, patron_id: str) -> None:
    """Delete a patron's history and their choice about it."""
    purge_history(work, patron_id)
    work.delete("readers", {"_id": patron_id})


async def find_history(
    db: Database, patron_id: str, limit: int, after: str | None
) -> list[PastLoan]:
    """Return up to `limit` + 1 of a patron's past loans, in the order of borrowing."""
    return await reading.page(
        db, PastLoan, "history", {"patron_id": patron_id}, limit=limit, after=after
    )
