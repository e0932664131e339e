"""The audit trails: the check of the doctor, and that of an audit."""

from collections.abc import Mapping

from ops.audit.findings import Audit, Finding
from services.registry import NAMES
from services.settings import Settings
from shared.audit_seals import sealing_key, verify
from shared.mongo import Client, Database

NEWEST = 200
"""Number of seals of each service that are verified; `carrel audit-trail --verify` takes all."""
CHECK = "audit trails"


async def check_trails(client: Client, settings: Settings) -> Finding:
    """Verify the newest seals of the audit trail of each service."""
    if not settings.card_key:
        return Finding(CHECK, "warn", "not verified: the key is missing", "set CARREL_CARD_KEY")
    key = sealing_key(settings.card_key)
    entries = 0
    for service in NAMES:
        database = client[f"{settings.database_prefix}_{service}"]
        found = await verify(database, key, newest=NEWEST)
        if found.faults:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            remedy = (
                "if entries wait, start a process of the service with the role jobs; else somebody "
                "changed the trail, or the key: carrel audit-trail --verify lists all"
            )
            return Finding(CHECK, "fail", f"{service}: {found.faults[0]}{more}", remedy)
        entries += found.entries
    return Finding(CHECK, "ok", f"the newest {entries} sealed entries are all there")


async def audit_trails(result: Audit, stores: Mapping[str, Database], settings: Settings) -> None:
    """Verify every entry of the audit trails, if the key is there."""
    if not settings.card_key:
        return
    for service, store in stores.items():
        found = await verify(store, sealing_key(settings.card_key))
        result.counts["entries of audit trails"] += found.entries
        for fault in found.faults:
            result.expect(False, f"audit trail of {service}: {fault}")
