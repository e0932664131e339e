"""Use cases run directly on a service's database, with the same effect as through its routes."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ops.console import refuse
from services.settings import Settings
from shared.indexes import chassis_indexes
from shared.mongo import Indexes, connect, ensure_indexes
from shared.owners import Owners
from shared.unit_of_work import UnitOfWork


@asynccontextmanager
async def unit_of_work_at(
    settings: Settings, service: str, indexes: Indexes
) -> AsyncIterator[UnitOfWork]:
    """Yield a unit of work on the database of `service`; its relay publishes the events."""
    client = connect(settings.mongo_url)
    owners = Owners(settings, service)
    try:
        database = client[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(database, {**chassis_indexes(settings.outbox_days), **indexes})
        yield UnitOfWork(database, service, settings, owners)
    finally:
        await owners.close()
        client.close()


def require_card_key(settings: Settings) -> None:
    """Refuse if the key is missing by which the running services recognise cards."""
    if not settings.card_key:
        refuse("The services know cards under a key: set CARREL_CARD_KEY to theirs.")


def who_runs_this() -> str:
    """Return the name that is recorded as the author of a change made without an account."""
    return f"carrel: {getpass.getuser()}"
