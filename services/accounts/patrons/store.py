"""Collections of patrons' standings, of terms of cards and of erasures that were begun."""

from collections.abc import AsyncIterator
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.patrons.rules import CardTerms, Erasure, Standing
from shared import reading
from shared.mongo import Database, Indexes, sharded_by
from shared.personal_data import Personal
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "standings": sharded_by("_id", []),
    "erasures": sharded_by("_id", [IndexModel([("begun_at", ASCENDING)])]),
    "card_terms": [],
}
PERSONAL = (Personal("standings", "_id"), Personal("erasures", "_id"))


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
    """Delete the standing of a patron who is erased, and the note of the erasure."""
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


async def find_begun(db: Database, before: datetime) -> AsyncIterator[str]:
    """Yield the ids of patrons whose erasure was last requested before an instant."""
    async for found in db.erasures.find({"begun_at": {"$lt": before}}, {"_id": 1}):
        yield found["_id"]
