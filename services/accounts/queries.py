"""Queries of accounts."""

from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.patron import Patron
from services.accounts.domain.pin_reset import is_live
from services.accounts.domain.preferences import Setting
from services.accounts.domain.refusals import NoSuchPatron
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


async def preferences(db: Database, patron_id: str) -> Setting:
    """Return a patron's preferences and the language in force. Raises NoSuchPatron."""
    found = await store.find_patron(db, patron_id)
    chosen = await store.find_preferences(db, patron_id)
    holder = await store.find_cardholder(db, patron_id)
    if found is None or chosen is None or holder is None:
        raise NoSuchPatron
    return Setting(chosen, chosen.language or found.language, holder.reachable_by)


async def is_live_reset(db: Database, reset_id: str, patron_id: str, at: datetime) -> bool:
    """Return whether a patron can choose a new PIN with the code of this request, at `at`."""
    reset = await store.find_pin_reset(db, reset_id)
    return reset is not None and reset.patron_id == patron_id and is_live(reset, at)
