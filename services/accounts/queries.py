"""Queries of accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.accounts import store
from services.accounts.domain.calendar import Calendar, link_of_secret
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.family import Invitation, Link
from services.accounts.domain.new_address import is_live as is_live_address
from services.accounts.domain.patron import Patron
from services.accounts.domain.pin_reset import is_live
from services.accounts.domain.preferences import Setting
from services.accounts.domain.refusals import NoSuchAccount, NoSuchCalendar, NoSuchPatron
from services.accounts.domain.staff import Manager, StaffAccount
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


async def calendar(db: Database, secret: str, keys: str) -> tuple[Setting, Calendar]:
    """Return the preferences of the patron whose feed has a secret, and its link.

    Raises NoSuchCalendar.
    """
    link = link_of_secret(secret, keys)
    holder = await store.holder_of_calendar(db, link) if link else None
    if holder is None or holder.calendar is None:
        raise NoSuchCalendar
    try:
        return await preferences(db, holder.id), holder.calendar
    except NoSuchPatron:  # erased a moment ago
        raise NoSuchCalendar from None


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
    reset = await store.pin_resets.find_one(db, reset_id)
    return reset is not None and reset.patron_id == patron_id and is_live(reset, at)


async def holder_of_code(db: Database, reset_id: str, at: datetime) -> Cardholder | None:
    """Return the holder of an account of staff who can choose a PIN with this code at `at`."""
    reset = await store.pin_resets.find_one(db, reset_id)
    if reset is None or reset.patron_id is None or not is_live(reset, at):
        return None
    holder = await store.find_cardholder(db, reset.patron_id)
    return holder if holder and holder.role != "patron" else None


async def address_of_alert(
    db: Database, alert_id: str, patron_id: str, at: datetime
) -> tuple[str | None, bool]:
    """Return the address at which a patron is told of a change, and whether it is to be confirmed.

    Raises NoSuchPatron.
    """
    _, holder = await patron(db, patron_id)
    new = holder.new_address
    if new is not None and new.id == alert_id:
        return (new.email, True) if is_live_address(new, at) else (None, True)
    kept = await store.alerts.find_one(db, alert_id, patron_id, at)
    return (kept.email if kept else None), False


@dataclass(frozen=True)
class Family:
    """A patron's links, the invitations from and to them, and the names of the other patrons."""

    patron: Patron
    links: Sequence[Link]
    received: Sequence[Invitation]
    sent: Sequence[Invitation]
    names: Mapping[str, str]


async def family(db: Database, patron_id: str, at: datetime) -> Family:
    """Return a patron's links and their invitations that are open at `at`. Raises NoSuchPatron.

    The names are those of linked patrons, and of those who sent an invitation.
    """
    found, _ = await patron(db, patron_id)
    links = await store.family.find_links(db, patron_id)
    received = await store.family.find_received(db, patron_id, at)
    sent = [one for one in await store.family.find_sent(db, patron_id, at) if one.seems_open]
    linked = {link.member_id for link in links}
    names = await store.find_names(db, linked | {one.patron_id for one in received})
    return Family(
        found,
        [link for link in links if link.member_id in names],
        [one for one in received if one.patron_id in names.keys() - linked],
        sent,
        names,
    )


async def staff(db: Database, account_id: str, by: Manager) -> StaffAccount:
    """Return an account that `by` may manage. Raises NoSuchAccount."""
    holder = await store.find_cardholder(db, account_id)
    if holder is None or holder.role not in by.roles:
        raise NoSuchAccount
    return StaffAccount.of(holder)
