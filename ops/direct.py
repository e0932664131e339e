"""Commands that carry out use cases at the database of a service itself, as its routes would."""

import getpass
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.mongo import Indexes, connect, ensure_indexes
from shared.owners import Owners
from shared.settings import Settings
from shared.unit_of_work import UnitOfWork, chassis_indexes


@asynccontextmanager
async def unit_of_work_at(
    settings: Settings, service: str, indexes: Indexes
) -> AsyncIterator[UnitOfWork]:
    """Carries out use cases on the database of `service`; its relay publishes their events."""
    client = connect(settings.mongo_url)
    owners = Owners(settings, service)
    try:
        database = client[f"{settings.database_prefix}_{service}"]
        await ensure_indexes(database, {**chassis_indexes(settings.outbox_days), **indexes})
        yield UnitOfWork(database, service, settings, owners)
    finally:
        await owners.close()
        client.close()


def who_runs_this() -> str:
    """What is recorded of who did it, where no account says so."""
    return f"carrel: {getpass.getuser()}"
