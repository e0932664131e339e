"""Reads of preferences, addresses and calendar feeds."""

from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Calendar
from services.accounts.preferences import store
from services.accounts.preferences.refusals import NoSuchCalendar
from services.accounts.preferences.rules import Setting, is_live, link_of_secret
from services.accounts.refusals import NoSuchPatron
from shared.mongo import Database


async def calendar(db: Database, secret: str, keys: str) -> tuple[Setting, Calendar]:
    """Return the preferences of the patron whose feed has a secret, and its link.

    Raises NoSuchCalendar.
    """
    link = link_of_secret(secret, keys)
    holder = await cardholders_store.holder_of_calendar(db, link) if link else None
    if holder is None or holder.calendar is None:
        raise NoSuchCalendar
    try:
        return await preferences(db, holder.id), holder.calendar
    except NoSuchPatron:  # erased a moment ago
        raise NoSuchCalendar from None


async def preferences(db: Database, patron_id: str) -> Setting:
    """Return a patron's preferences and the language in force. Raises NoSuchPatron."""
    found = await cardholders_store.find_patron(db, patron_id)
    chosen = await store.find_preferences(db, patron_id)
    holder = await cardholders_store.find_cardholder(db, patron_id)
    if found is None or chosen is None or holder is None:
        raise NoSuchPatron
    return Setting(chosen, chosen.language or found.language, holder.reachable_by)


async def address_of_alert(
    db: Database, alert_id: str, patron_id: str, at: datetime
) -> tuple[str | None, bool]:
    """Return the address at which a patron is told of a change, and whether it is to be confirmed.

    Raises NoSuchPatron.
    """
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    new = holder.new_address
    if new is not None and new.id == alert_id:
        return (new.email, True) if is_live(new, at) else (None, True)
    kept = await cardholders_store.find_kept_address(db, alert_id, patron_id, at)
    return (kept.email if kept else None), False
