"""Reads of the reading history."""

from dataclasses import dataclass

from services.circulation.borrowers import store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.rules.history import PastLoan
from shared.mongo import Database


@dataclass(frozen=True)
class Read:
    """A past loan and the name of its title; empty if the catalogue no longer has the title."""

    loan: PastLoan
    title: str


async def history_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[Read]:
    """Return up to `limit` + 1 of a patron's past loans; none if they keep no history."""
    loans = await store.find_history(db, patron_id, limit, after)
    names = await catalogue_store.find_names(db, {loan.title_id for loan in loans})
    return [Read(loan, names.get(loan.title_id, "")) for loan in loans]
