"""Two replicas of events on one real database."""

from collections.abc import AsyncIterator

import pytest

from services.events.app import create_app
from services.events.settings import Settings
from tests.support import Api, served
from tests.warm import settings_of


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return settings_of(
        Settings, mongo_url=mongo_url, database_prefix=database, roles=("api",), simulation=True
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        yield api


@pytest.fixture
async def replica(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        yield api
