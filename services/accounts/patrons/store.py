"""Collections of standings, terms of cards, applications, and erasures that were begun."""

from collections.abc import AsyncIterator
from datetime import datetime

from pymongo import ASCENDING, DESCENDING, IndexModel, ReturnDocument

from services.accounts.patrons.rules import (
    MOST_APPLICATION_TRIES,
    Application,
    CardTerms,
    Erasure,
    StaffNote,
    Standing,
)
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, Document, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "standings": sharded_by("_id", []),
    "erasures": sharded_by("_id", [IndexModel([("begun_at", ASCENDING)])]),
    "card_terms": [],
    "staff_notes": sharded_by(
        "patron_id", [IndexModel([("patron_id", ASCENDING), ("_id", DESCENDING)])]
    ),
    "applications": [
        IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        IndexModel(
            [("address_digest", ASCENDING)],
            unique=True,
            partialFilterExpression={"confirmed": True},
        ),
    ],
}
PERSONAL = (
    Personal("standings", "_id"),
    Personal("erasures", "_id"),
    Personal("staff_notes", leave_out=("by",)),
    Personal("applications", "_id", leave_out=("pin_hash", "address_digest")),
)

_ERASURES = Repository(Erasure, "erasures")
erasure = _ERASURES.get
save_erasure = _ERASURES.put

_STAFF_NOTES = Repository(StaffNote, "staff_notes")
add_note = _STAFF_NOTES.add

_CARD_TERMS = Repository(CardTerms, "card_terms")
card_terms = _CARD_TERMS.get
"""Return the terms of the cards of a category; None: they do not expire."""
save_card_terms = _CARD_TERMS.put
find_terms_of = _CARD_TERMS.find

_APPLICATIONS = Repository(Application, "applications")
application = _APPLICATIONS.get
save_application = _APPLICATIONS.put

_STANDINGS = Repository(Standing, "standings")
note_standing = _STANDINGS.note


def delete_erasure(work: Work, erasure: Erasure) -> None:
    """Delete an erasure, unless it was requested again since this version."""
    work.delete("erasures", {"_id": erasure.id, "version": erasure.version})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete a patron's standing, application, staff notes, and the note of the erasure."""
    delete_application(work, patron_id)
    work.delete("staff_notes", {"patron_id": patron_id})
    work.delete("standings", {"_id": patron_id})
    work.delete("erasures", {"_id": patron_id})


def delete_note(work: Work, patron_id: str, note_id: str) -> bool:
    """Delete a note about a patron; return False if there is none."""
    return bool(work.delete("staff_notes", {"_id": note_id, "patron_id": patron_id}))


async def find_notes(db: Database, patron_id: str, limit: int) -> list[StaffNote]:
    """Return up to `limit` notes about a patron, the newest first."""
    found = db.staff_notes.find({"patron_id": patron_id}).sort("_id", DESCENDING).limit(limit)
    return [from_document(StaffNote, document) async for document in found]


def delete_card_terms(work: Work, category: str) -> None:
    """Delete the terms of a category."""
    work.delete("card_terms", {"_id": category})


async def find_terms(db: Database) -> list[CardTerms]:
    """Return the terms of all categories, by category."""
    return sorted(await reading.every(db, CardTerms, "card_terms", {}), key=lambda one: one.id)


def has_card(work: Work, address_digest: str) -> bool:
    """Return whether an address has a provisional card; the index decides between two at once."""
    query = {"address_digest": address_digest, "confirmed": True}
    return bool(work.count("applications", query))


def delete_application(work: Work, patron_id: str) -> None:
    """Delete the application of a patron, if there is one."""
    work.delete("applications", {"_id": patron_id})


async def take_try(db: Database, application_id: str, now: datetime) -> Application | None:
    """Count a try to enter a code; return the application, or None if the code is dead.

    One atomic write, so that all replicas together admit MOST_APPLICATION_TRIES.
    """
    live = {
        "_id": application_id,
        "expires_at": {"$gt": now},
        "tries": {"$lt": MOST_APPLICATION_TRIES},
    }
    change = {"$inc": {"tries": 1, "version": 1}}
    found: Document | None = await db.applications.find_one_and_update(
        live, change, return_document=ReturnDocument.AFTER
    )
    return None if found is None else from_document(Application, found)


async def find_unconfirmed(db: Database, application_id: str, at: datetime) -> Application | None:
    """Return an application whose code can still be entered, or None."""
    query = {
        "_id": application_id,
        "confirmed": False,
        "expires_at": {"$gt": at},
        "tries": {"$lt": MOST_APPLICATION_TRIES},
    }
    return await reading.first(db, Application, "applications", query)


async def find_begun(db: Database, before: datetime) -> AsyncIterator[str]:
    """Yield the ids of patrons whose erasure was last requested before an instant."""
    async for found in db.erasures.find({"begun_at": {"$lt": before}}, {"_id": 1}):
        yield found["_id"]
