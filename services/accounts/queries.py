"""Queries of accounts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.accounts import store
from services.accounts.domain.calendar import Calendar, link_of_secret
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.family import Invitation, Link
from services.accounts.domain.new_address import is_live
from services.accounts.domain.patron import Patron
from services.accounts.domain.preferences import Setting
from services.accounts.domain.refusals import NoSuchCalendar, NoSuchPatron
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


async def address_of_alert(
    db: Database, alert_id: str, patron_id: str, at: datetime
) -> tuple[str | None, bool]:
    """Return the address at which a patron is told of a change, and whether it is to be confirmed.

    Raises NoSuchPatron.
    """
    _, holder = await patron(db, patron_id)
    new = holder.new_address
    if new is not None and new.id == alert_id:
        return (new.email, True) if is_live(new, at) else (None, True)
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
