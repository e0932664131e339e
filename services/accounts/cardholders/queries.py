"""Reads of patrons with their personal data."""

from services.accounts.cardholders import store
from services.accounts.cardholders.refusals import NoSuchPatron
from services.accounts.cardholders.rules import Cardholder, Patron
from shared.ids import card_digests
from shared.keys import each_of
from shared.mongo import Database


async def patron(db: Database, patron_id: str) -> tuple[Patron, Cardholder]:
    """Return a patron with their cardholder. Raises NoSuchPatron, also after erasure."""
    found = await store.find_patron(db, patron_id)
    holder = await store.find_cardholder(db, patron_id)
    if found is None or holder is None:
        raise NoSuchPatron
    return found, holder


async def patron_with_card(db: Database, card_digest: str) -> tuple[Patron, Cardholder] | None:
    """Return the patron who has this card with their cardholder, or None."""
    holder = await store.holder_of_card(db, card_digest)
    found = await store.find_patron(db, holder.id) if holder else None
    return (found, holder) if found and holder else None


async def card_key_of(keys: str, db: Database) -> str | None:
    """Return which of the keys the digest of a card was made with, "" if none; None: no cards."""
    async for _, card_number, stored in store.find_cards(db):
        made = zip(each_of(keys), card_digests(card_number, keys), strict=True)
        return next((key for key, digest in made if digest == stored), "")
    return None
