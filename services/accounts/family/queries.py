"""Reads of linked cards and invitations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Patron
from services.accounts.family import store
from services.accounts.family.rules import Invitation, Link
from shared.mongo import Database


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
    found, _ = await cardholders_store.find_patron_and_holder(db, patron_id)
    links = await store.find_links(db, patron_id)
    received = await store.find_received(db, patron_id, at)
    sent = [
        invitation
        for invitation in await store.find_sent(db, patron_id, at)
        if invitation.seems_open
    ]
    linked = {link.member_id for link in links}
    names = await cardholders_store.find_names(
        db, linked | {invitation.patron_id for invitation in received}
    )
    return Family(
        found,
        [link for link in links if link.member_id in names],
        [invitation for invitation in received if invitation.patron_id in names.keys() - linked],
        sent,
        names,
    )
