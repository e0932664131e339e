"""Checks of what protects the data: the users of database and broker, and the audit trails."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import Field, create_model

from ops import database_users
from ops.audit.findings import Audit, Finding
from ops.environment import kind_of_settings, load
from services.registry import NAMES
from services.settings import Settings
from shared.audit_seals import verify
from shared.data_keys import DataKey, data_keys_of, faults_of
from shared.mongo import Client, Database
from shared.settings import Keys


async def check_database_users(client: Client, settings: Settings) -> Finding:
    """Check that the user of each service can do no more than it needs."""
    name, remedy = (
        "database users",
        "with an administrator's CARREL_MONGO_URL: carrel databases users",
    )
    found = await database_users.excesses(client, settings)
    if found is None:
        return Finding(
            name, "warn", "none is asked for: whoever reaches the database may do all", remedy
        )
    for user, more in found.items():
        if more:
            return Finding(name, "warn", f"{user} may also {'; '.join(more[:3])}", remedy)
    if not found:
        return Finding(name, "warn", "this user sees none of the services'", "use the operator's")
    many = f"{len(found)} of {len(NAMES)} services"
    return Finding(name, "ok", f"{many}: each has rights on its database alone")


def check_broker_user(settings: Settings) -> Finding:
    """Check that the broker knows who calls it. The broker itself decides what each may do."""
    if settings.kafka_security == "scram":
        return Finding("broker users", "ok", f"{settings.kafka_username}, over TLS")
    if settings.kafka_certificate_file:
        return Finding("broker users", "ok", "a certificate, over TLS")
    found = "none is asked for" if settings.kafka_security == "tls" else "none, and no TLS"
    remedy = "set CARREL_KAFKA_SECURITY=scram with a user for each service; carrel topics acls"
    return Finding("broker users", "warn", found, remedy)


def lasting_keys() -> dict[str, list[DataKey]]:
    """Return the keys that stored data needs by service, as they are set here."""
    trails = load(TrailSettings)
    return {
        service: [
            replace(key, keys=getattr(trails, f"audit_keys_{service}"))
            if key.variable == "CARREL_AUDIT_KEYS"
            else key
            for key in data_keys_of(load(kind_of_settings(service)))
        ]
        for service in NAMES
    }


async def check_lasting_keys(client: Client, settings: Settings) -> Finding:
    """Check that the keys that are set here are those that stored data was made with."""
    compared = 0
    for service, keys in lasting_keys().items():
        database = client[f"{settings.database_prefix}_{service}"]
        if faults := await faults_of(database, keys):
            return Finding("keys of data", "fail", faults[0], "no process of it starts with it")
        compared += sum(bool(key.keys) for key in keys)
    return Finding("keys of data", "ok", f"{compared} keys are those that data was made with")


NEWEST = 200
"""Number of seals of each service that are verified; `carrel audit-trail --verify` takes all."""
CHECK = "audit trails"
_VARIABLE = "CARREL_AUDIT_KEYS_"

_FIELDS: Any = {f"audit_keys_{name}": (Keys, Field(default="", repr=False)) for name in NAMES}
TrailSettings = create_model("TrailSettings", __base__=Settings, **_FIELDS)
"""Settings of operators' commands: CARREL_AUDIT_KEYS of each service, with its name at the end."""


def trail_keys() -> dict[str, str]:
    """Return the keys of the seals by service, of those services whose keys are set."""
    settings = load(TrailSettings)
    found = {name: getattr(settings, f"audit_keys_{name}") for name in NAMES}
    return {name: keys for name, keys in found.items() if keys}


def variables_of(services: list[str]) -> str:
    """Return the variables with the keys of some services."""
    return ", ".join(f"{_VARIABLE}{name.upper()}" for name in services)


async def check_trails(client: Client, settings: Settings) -> Finding:
    """Verify the newest seals of the audit trail of each service whose keys are set."""
    keys = trail_keys()
    entries = 0
    for service in keys:
        database = client[f"{settings.database_prefix}_{service}"]
        if await faults_of(database, [DataKey("CARREL_AUDIT_KEYS", keys[service])]):
            another = f"not verified for {service}: it was sealed with another CARREL_AUDIT_KEYS"
            return Finding(CHECK, "warn", another, f"set {variables_of([service])}")
        found = await verify(database, keys[service], newest=NEWEST)
        if found.faults:
            more = f" (and {len(found.faults) - 1} more)" if len(found.faults) > 1 else ""
            remedy = (
                "if entries wait, start a process of the service with the role jobs; else somebody "
                "changed the trail, unless a key is missing: carrel audit-trail --verify lists all"
            )
            return Finding(CHECK, "fail", f"{service}: {found.faults[0]}{more}", remedy)
        entries += found.entries
    checked = f"the newest {entries} sealed entries are all there"
    missing = [name for name in NAMES if name not in keys]
    if missing:
        found_so_far = f"{checked}, but not verified for {', '.join(missing)}"
        return Finding(CHECK, "warn", found_so_far, f"set {variables_of(missing)}")
    return Finding(CHECK, "ok", checked)


async def audit_trails(result: Audit, stores: Mapping[str, Database]) -> None:
    """Verify every entry of the audit trails of the services whose keys are set."""
    keys = trail_keys()
    for service, store in stores.items():
        if service not in keys:
            continue
        found = await verify(store, keys[service])
        result.counts["entries of audit trails"] += found.entries
        for fault in found.faults:
            result.expect(False, f"audit trail of {service}: {fault}")
