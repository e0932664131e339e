"""Reads of preferences, libraries, addresses and calendar feeds."""

from collections.abc import Collection
from contextlib import suppress
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Calendar, Cardholder
from services.accounts.pins import store as pins_store
from services.accounts.pins.rules import code_of
from services.accounts.preferences import store
from services.accounts.preferences.refusals import NoSuchBranch, NoSuchCalendar
from services.accounts.preferences.rules import Setting, code_for, is_live, link_of_secret
from services.accounts.refusals import NoSuchPatron
from shared.mongo import Database
from shared.owners import OwnerAway, path_to
from shared.unit_of_work import Run


async def check_branch(run: Run, code: str) -> None:
    """Raise NoSuchBranch for a library that nobody has registered.

    The event of a new library may not have arrived yet, so notices is asked about one that is not
    known here. While notices is away, the library is taken as given: the desk goes on.
    """
    if await store.is_branch(run.database, code):
        return
    with suppress(OwnerAway):
        if await run.owners.get("notices", path_to("v1", "branches", code), now=run.now) is None:
            raise NoSuchBranch


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


async def addressees(db: Database, patron_ids: Collection[str]) -> list[tuple[Cardholder, bool]]:
    """Return the holders of these accounts, each with whether e-mails reach them by choice."""
    holders = await cardholders_store.find_cardholders(db, patron_ids)
    chosen = await store.find_with_channel(db, patron_ids, "email")
    return [(one, bool(one.email) and one.id in chosen) for one in holders]


async def destination(
    db: Database,
    patron_id: str,
    *,
    pin_reset: str | None,
    alert: str | None,
    at: datetime,
    keys: str,
) -> tuple[str | None, str | None]:
    """Return the address of one message to a patron, and the code that it is to have.

    None: the message is sent to no address, or has no code. `pin_reset` and `alert` are the ids of
    what the message is about, if it is none of the notifications that patrons choose. Raises
    NoSuchPatron.
    """
    _, holder = await cardholders_store.find_patron_and_holder(db, patron_id)
    if alert is not None:
        new = holder.new_address
        if new is None or new.id != alert:
            kept = await cardholders_store.find_kept_address(db, alert, patron_id, at)
            return (kept.email if kept else None), None
        return (new.email, code_for(alert, keys)) if is_live(new, at) else (None, None)
    if pin_reset:
        reset = await pins_store.find_live(db, pin_reset, at)
        is_own = reset is not None and reset.patron_id == patron_id
        code = code_of(pin_reset, keys) if is_own else None
        return (holder.email if code else None), code
    chosen = (await preferences(db, patron_id)).preferences
    return (holder.email if "email" in chosen.channels else None), None
