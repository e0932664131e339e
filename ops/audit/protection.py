"""Checks of how the database and the broker are protected: the users, and what they may do."""

from ops import database_users
from ops.audit.findings import Finding
from services.registry import NAMES
from services.settings import Settings
from shared.mongo import Client


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
