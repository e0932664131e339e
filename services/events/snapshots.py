"""What events has now, as its events would tell it: for a view that is built anew."""

from collections.abc import Mapping

from services.events import store
from services.events.usecases.tell_of_activity import snapshot as activity_fields
from services.events.usecases.tell_of_registration import snapshot as registration_fields
from shared.contracts.events import ActivitySnapshot, RegistrationSnapshot
from shared.http import Snapshot, Told
from shared.mongo import Database


async def activities(db: Database, after: str) -> Told:
    """Every activity."""
    found, more = await store.find_activities_after(db, after)
    return [ActivitySnapshot(**activity_fields(activity)) for activity in found], more


async def registrations(db: Database, after: str) -> Told:
    """The registrations that have not ended."""
    found, more = await store.find_registrations_after(db, after)
    return [RegistrationSnapshot(**registration_fields(one)) for one in found], more


SNAPSHOTS: Mapping[str, Snapshot] = {"activities": activities, "registrations": registrations}
