"""Collections of standings, terms of cards, applications, and erasures that were begun."""

from collections.abc import AsyncIterator
from datetime import datetime

from pymongo import ASCENDING, IndexModel, ReturnDocument

from services.accounts.patrons.rules import (
    MOST_APPLICATION_TRIES,
    Application,
    CardTerms,
    Erasure,
    Standing,
)
from shared import reading
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, Document, from_document
from shared.personal_data import Personal
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "standings": sharded_by("_id", []),
    "erasures": sharded_by("_id", [IndexModel([("begun_at", ASCENDING)])]),
    "card_terms": [],
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
    Personal("applications", "_id", leave_out=("pin_hash", "address_digest")),
)


def note_standing(work: Work, standing: Standing) -> bool:
    """Store a patron's standing from circulation; return False if a newer one is stored."""
    return work.save_if_newer("standings", standing)


def erasure(work: Work, patron_id: str) -> Erasure | None:
    """Return the erasure of a patron that was begun, or None."""
    return work.find(Erasure, "erasures", {"_id": patron_id})


def save_erasure(work: Work, erasure: Erasure) -> None:
    """Save an erasure after a request for it; version 1 is a new one."""
    work.put("erasures", erasure)


def delete_erasure(work: Work, erasure: Erasure) -> None:
    """Delete an erasure, unless it was requested again since this version."""
    work.delete("erasures", {"_id": erasure.id, "version": erasure.version})


def delete_of_patron(work: Work, patron_id: str) -> None:
    """Delete the standing and the application of a patron who is erased, and the erasure's note."""
    delete_application(work, patron_id)
    work.delete("standings", {"_id": patron_id})
    work.delete("erasures", {"_id": patron_id})


def card_terms(work: Work, category: str) -> CardTerms | None:
    """Return the terms of the cards of a category; None: they do not expire."""
    return work.find(CardTerms, "card_terms", {"_id": category})


def save_card_terms(work: Work, terms: CardTerms) -> None:
    """Save terms; version 1 are new ones."""
    work.put("card_terms", terms)


def delete_card_terms(work: Work, category: str) -> None:
    """Delete the terms of a category."""
    work.delete("card_terms", {"_id": category})


async def find_terms_of(db: Database, category: str) -> CardTerms | None:
    """Return the same as `card_terms`, read outside any transaction."""
    return await reading.first(db, CardTerms, "card_terms", {"_id": category})


async def find_terms(db: Database) -> list[CardTerms]:
    """Return the terms of all categories, by category."""
    return sorted(await reading.every(db, CardTerms, "card_terms", {}), key=lambda one: one.id)


def application(work: Work, application_id: str) -> Application | None:
    """Return an application for a card, or None."""
    return work.find(Application, "applications", {"_id": application_id})


def save_application(work: Work, application: Application) -> None:
    """Save an application; version 1 is a new one."""
    work.put("applications", application)


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
