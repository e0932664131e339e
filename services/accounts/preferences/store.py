"""Collections of preferences and branches, and tries to confirm an address."""

from collections.abc import Collection
from datetime import datetime

from services.accounts.preferences.rules import MOST_TRIES, Branch, Preferences
from shared.declared_indexes import Indexes, sharded_by
from shared.mongo import Database, SnapshotQuery, read_snapshot_page
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {"preferences": sharded_by("_id", []), "branches": []}
PERSONAL = (Personal("preferences", "_id"),)

_PREFERENCES = Repository(Preferences, "preferences")
preferences = _PREFERENCES.get
"""Return a patron's preferences; None once the patron is erased."""
add_preferences = _PREFERENCES.add
save_preferences = _PREFERENCES.save
"""Save the preferences after a choice; conflicts with an erasure, which deletes them."""
find_preferences = _PREFERENCES.find

_BRANCHES = Repository(Branch, "branches")
note_branch = _BRANCHES.note


def delete_preferences(work: Work, patron_id: str) -> None:
    """Delete the preferences of a patron who is erased."""
    work.delete("preferences", {"_id": patron_id})


async def find_with_channel(db: Database, patron_ids: Collection[str], channel: str) -> set[str]:
    """Return those of these patrons who have chosen a channel."""
    query = {"_id": {"$in": sorted(patron_ids)}, "channels": channel}
    return {found["_id"] async for found in db.preferences.find(query, {"_id": 1})}


async def find_chosen_preferences(
    db: Database, query: SnapshotQuery
) -> tuple[list[Preferences], str | None]:
    """Return a page of the preferences that were ever chosen, and where the next page begins."""
    chosen = {"version": {"$gt": 0}}
    return await read_snapshot_page(db.preferences, Preferences, query, chosen, patron="_id")


async def take_try(db: Database, patron_id: str, at: datetime) -> bool:
    """Count a try to confirm a patron's new address; return whether there is one to be confirmed.

    One atomic write, so that all replicas together admit MOST_TRIES.
    """
    live = {
        "_id": patron_id,
        "new_address.tries": {"$lt": MOST_TRIES},
        "new_address.expires_at": {"$gt": at},
    }
    change = {"$inc": {"new_address.tries": 1, "version": 1}}
    return (await db.cardholders.update_one(live, change)).modified_count == 1


def unknown_branches(work: Work, codes: Collection[str]) -> set[str]:
    """Return those of these codes that no branch has, as far as accounts knows."""
    query = {"_id": {"$in": sorted(codes)}}
    return set(codes) - set(work.distinct("branches", "_id", query))


async def is_branch(db: Database, code: str) -> bool:
    """Return whether accounts knows a branch with this code."""
    return await db.branches.find_one({"_id": code}, {"_id": 1}) is not None
