"""Links of the cards of a family, and invitations to link them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.family.rules import Invitation, Link
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, from_document
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "invitations": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING)]),
            IndexModel([("invited_id", ASCENDING)]),
            IndexModel([("card_digest", ASCENDING)]),
            IndexModel([("state", ASCENDING)]),
            IndexModel([("expires_at", ASCENDING)], expireAfterSeconds=0),
        ],
    ),
    "links": sharded_by(
        "patron_id", [IndexModel([("patron_id", ASCENDING), ("member_id", ASCENDING)], unique=True)]
    ),
}
PERSONAL = (
    Personal("links"),
    Personal("invitations", leave_out=("card_digest", "invited_id", "state")),
)

MOST_RECEIVED = 50
"""Invitations to one patron that are shown, the newest first."""

_INVITATIONS = Repository(Invitation, "invitations")
invitation = _INVITATIONS.get
save_invitation = _INVITATIONS.put
sent_by = _INVITATIONS.all_of
delete_sent = _INVITATIONS.delete_of

_LINKS = Repository(Link, "links")
add_link = _LINKS.add
find_page = _LINKS.find_page


def change_digest(work: Work, former: str, digest: str) -> None:
    """Give the invitations to a card its new digest."""
    for invitation in work.all(Invitation, "invitations", {"card_digest": former}):
        work.save(
            "invitations", replace(invitation, card_digest=digest, version=invitation.version + 1)
        )


def links_of(work: Work, patron_id: str) -> list[Link]:
    """Return a patron's sides of their links, the oldest first."""
    return work.all(Link, "links", {"patron_id": patron_id}, sort=[("_id", ASCENDING)])


def sides(work: Work, patron_id: str, member_id: str) -> list[Link]:
    """Return the two sides of the link of two patrons; none if they are not linked."""
    pairs = [
        {"patron_id": patron_id, "member_id": member_id},
        {"patron_id": member_id, "member_id": patron_id},
    ]
    return work.all(Link, "links", {"$or": pairs})


def delete_link(work: Work, side: Link) -> None:
    """Delete one side of a link that ends."""
    work.delete("links", {"_id": side.id})


def sent_to(work: Work, patron_id: str, card_digest: str) -> list[Invitation]:
    """Return the invitations to a patron, or to the patron's card."""
    either = [{"invited_id": patron_id}, {"card_digest": card_digest}]
    return work.all(Invitation, "invitations", {"$or": either})


async def find_requested(db: Database) -> AsyncIterator[str]:
    """Yield the ids of invitations that the job has still to look at."""
    async for found in db.invitations.find({"state": "requested"}, {"_id": 1}):
        yield found["_id"]


async def find_sent(db: Database, patron_id: str, at: datetime) -> list[Invitation]:
    """Return a patron's invitations that have not expired, the oldest first."""
    query = {"patron_id": patron_id, "expires_at": {"$gt": at}}
    found = db.invitations.find(query).sort("_id", ASCENDING)
    return [from_document(Invitation, document) async for document in found]


async def find_received(db: Database, patron_id: str, at: datetime) -> list[Invitation]:
    """Return the invitations that a patron can accept, the newest first."""
    query = {"invited_id": patron_id, "state": "sent", "expires_at": {"$gt": at}}
    found = db.invitations.find(query).sort("_id", -1).limit(MOST_RECEIVED)
    return [from_document(Invitation, document) async for document in found]


async def find_links(db: Database, patron_id: str) -> list[Link]:
    """Return the same as `links_of`, read outside any transaction."""
    found = db.links.find({"patron_id": patron_id}).sort("_id", ASCENDING)
    return [from_document(Link, document) async for document in found]
