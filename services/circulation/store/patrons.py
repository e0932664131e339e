"""What accounts says of patrons, and what circulation counts of them."""

from collections.abc import Collection

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.patron import Borrower, Patron
from shared.mongo import Indexes
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "patrons": [IndexModel([("card_digest", ASCENDING)])],  # not unique: see `holder_of_card`
    "borrowers": [],
}


async def note(work: Work, patron: Patron) -> None:
    """Keep what accounts says of a patron, unless something newer is known."""
    await work.save_if_newer("patrons", patron)


async def get(work: Work, patron_id: str) -> Patron | None:
    """What accounts has said of a patron."""
    return await work.find(Patron, "patrons", {"_id": patron_id})


async def some(work: Work, patron_ids: Collection[str]) -> dict[str, Patron]:
    """What accounts has said of some patrons, by patron."""
    found = await work.all(Patron, "patrons", {"_id": {"$in": sorted(patron_ids)}})
    return {patron.id: patron for patron in found}


async def holder_of_card(work: Work, card_digest: str) -> Patron | None:
    """Whose card this is, if it is one patron's, as far as circulation has heard.

    Two have it for a moment, where a card went from one to the other and one event is under way.
    """
    found = await work.all(Patron, "patrons", {"card_digest": card_digest}, limit=2)
    return found[0] if len(found) == 1 else None


async def borrower(work: Work, patron_id: str) -> Borrower:
    """What is counted of a patron."""
    return (await borrowers(work, [patron_id]))[patron_id]


async def borrowers(work: Work, patron_ids: Collection[str]) -> dict[str, Borrower]:
    """What is counted of some patrons, by patron."""
    known = await work.all(Borrower, "borrowers", {"_id": {"$in": sorted(patron_ids)}})
    return {one: Borrower(one) for one in patron_ids} | {one.id: one for one in known}


async def save_borrower(work: Work, borrower: Borrower) -> None:
    """The counts after a change. Of two changes at once one is run again."""
    if borrower.version == 1:
        await work.add("borrowers", borrower)
    else:
        await work.save("borrowers", borrower)
