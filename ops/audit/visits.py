"""The check that visitors' data is destroyed in time, and readable as long as it is kept."""

from datetime import timedelta
from typing import Any

from ops.audit.findings import Finding
from ops.environment import load
from services.notices import sealing
from services.notices.settings import Settings as NoticesSettings
from services.notices.visits.rules import KEPT_DAYS, last_destroyed
from services.settings import Settings
from shared.clock import library_day, wall_clock
from shared.keys import each_of
from shared.mongo import Client

CHECK = "visits"
GRACE = timedelta(hours=1)
"""Time that the database may take to delete what has expired."""


async def check_visits(client: Client, settings: Settings) -> Finding:
    """Check the age of visits and keys, and that the settings have the master keys in use."""
    database = client[f"{settings.database_prefix}_notices"]
    now = wall_clock()
    too_old = [{"recorded_at": {"$lt": now - timedelta(days=KEPT_DAYS) - GRACE}}]
    last = last_destroyed(library_day(now - GRACE, settings.zone)).isoformat()
    day: dict[str, Any] = {"$lte": last}
    if settings.simulation:
        day = {"$exists": False}  # visits of other years: only their real age counts
    old = await database.visits.count_documents({"$or": [*too_old, {"day": day}]})
    old_keys = await database.visit_keys.count_documents({"$or": [*too_old, {"_id": day}]})
    if old or old_keys:
        found = f"{old} visits and {old_keys} keys are older than {KEPT_DAYS} days"
        remedy = "run the job notices/purge-visits, and check that notices has the role jobs"
        return Finding(CHECK, "fail", found, remedy)
    wrapped = [key["wrapped"] async for key in database.visit_keys.find({})]
    kept = await database.visits.estimated_document_count()
    found = f"{kept} of the last {KEPT_DAYS} days, with {len(wrapped)} keys"
    secrets = each_of(load(NoticesSettings).visit_keys)
    return _master_keys(found, wrapped, secrets)


def _master_keys(found: str, wrapped: list[bytes], secrets: list[str]) -> Finding:
    unwraps = [
        {place for place, one in enumerate(secrets) if sealing.unwrapped(_alone(one), key)}
        for key in wrapped
    ]
    if not all(unwraps):
        lost = f"CARREL_VISIT_KEYS lacks the master key of {unwraps.count(set())} days"
        return Finding(CHECK, "fail", lost, "set it as notices had it; nobody can trace otherwise")
    unused = set(range(1, len(secrets))) - {place for places in unwraps for place in places}
    if unused:
        spare = f"{found}; CARREL_VISIT_KEYS has keys that no day needs"
        remedy = "remove and destroy all but the first: no backup can be read without them"
        return Finding(CHECK, "warn", spare, remedy)
    if not secrets:
        found += "; CARREL_VISIT_KEYS is not set: visitors are counted and not registered"
    return Finding(CHECK, "ok", found)


def _alone(secret: str) -> sealing.Master:
    return sealing.Master([sealing.master_key(secret)])
