"""A unit of work on a database of the test's own."""

from collections.abc import AsyncIterator

import pytest

from services.settings import Settings
from shared.declared_indexes import ensure_indexes
from shared.indexes import chassis_indexes
from shared.mongo import connect
from shared.owners import Owners
from shared.unit_of_work import UnitOfWork


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    """Settings of a service on the test's database; no broker."""
    return Settings(mongo_url=mongo_url, database_prefix=database, partitions=3)


@pytest.fixture
async def unit_of_work(settings: Settings) -> AsyncIterator[UnitOfWork]:
    client = connect(settings.mongo_url)
    store = client[f"{settings.database_prefix}_chassis"]
    await ensure_indexes(store, {**chassis_indexes(1), "things": []})
    yield UnitOfWork(store, "circulation", settings, Owners(settings, "circulation"))
    client.close()
