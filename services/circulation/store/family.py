"""Links of patrons' cards from accounts."""

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.family import Link
from shared.mongo import Indexes, sharded_by
from shared.unit_of_work import Work

TOMBSTONE_DAYS = 30
"""Days for which an ended link is remembered, like the ids of processed events."""

INDEXES: Indexes = {
    "links": sharded_by(
        "patron_id",
        [
            IndexModel([("patron_id", ASCENDING), ("member_id", ASCENDING)]),
            IndexModel([("ended_at", ASCENDING)], expireAfterSeconds=TOMBSTONE_DAYS * 86_400),
        ],
    ),
}


def note(work: Work, link: Link) -> None:
    """Store a side of a link from accounts, unless a newer version is stored."""
    work.save_if_newer("links", link)


def are_linked(work: Work, one: str, other: str) -> bool:
    """Return whether the cards of two patrons are linked, by both sides of the link.

    The first side that ends is enough, because the events of the two can come apart.
    """
    sides = [{"patron_id": one, "member_id": other}, {"patron_id": other, "member_id": one}]
    return work.count("links", {"$or": sides}) == len(sides)
