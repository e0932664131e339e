"""Two replicas of accounts on one real database."""

from collections.abc import AsyncIterator

import pytest

from services.accounts.app import create_app
from services.accounts.settings import Settings
from tests.support import Api, served


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key="key of these tests",
        service_secret="secret of these tests",
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """accounts, verifying the tokens of people.py."""
    async with served(create_app, settings) as api:
        yield api


@pytest.fixture
async def other_replica(settings: Settings) -> AsyncIterator[Api]:
    """Another replica of accounts on the same database, which accepts only its own tokens."""
    async with served(create_app, settings, trust_test_keys=False) as api:
        yield api
