"""Links of the cards of a family, and invitations to link them."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime

from pymongo import ASCENDING, IndexModel

from services.accounts.family.rules import Invitation, Link
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, SnapshotQuery, from_document, read_snapshot_page
from shared.personal_data import Personal
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


def invitation(work: Work, invitation_id: str) -> Invitation | None:
    """Return an invitation, or None."""
    return work.find(Invitation, "invitations", {"_id": invitation_id})


def sent_by(work: Work, patron_id: str) -> list[Invitation]:
    """Return the invitations that a patron sent and that are not deleted yet."""
    return work.all(Invitation, "invitations", {"patron_id": patron_id})


def save_invitation(work: Work, invitation: Invitation) -> None:
    """Save an invitation; version 1 is a new one."""
    work.put("invitations", invitation)


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


def add_link(work: Work, *two_sides: Link) -> None:
    """Insert both sides of a new link."""
    work.add("links", *two_sides)


def delete_link(work: Work, side: Link) -> None:
    """Delete one side of a link that ends."""
    work.delete("links", {"_id": side.id})


def delete_sent(work: Work, patron_id: str) -> None:
    """Delete all invitations that a patron sent, who is erased."""
    work.delete("invitations", {"patron_id": patron_id})


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


async def find_page(db: Database, query: SnapshotQuery) -> tuple[list[Link], str | None]:
    """Return a page of the sides of links, and where the next page begins."""
    return await read_snapshot_page(db.links, Link, query)
