"""What events has now, as its events would tell it: for a view that is built anew."""

from collections.abc import Mapping

from services.events import store
from services.events.usecases.tell_of_activity import snapshot
from shared.contracts.events import ActivitySnapshot
from shared.http import Snapshot, Told
from shared.mongo import Database


async def activities(db: Database, after: str) -> Told:
    """Every activity."""
    found, more = await store.find_activities_after(db, after)
    return [snapshot(ActivitySnapshot, activity) for activity in found], more


SNAPSHOTS: Mapping[str, Snapshot] = {"activities": activities}
