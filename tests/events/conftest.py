"""Two replicas of events on one real database, and a double of accounts over real HTTP."""

from collections.abc import AsyncIterator

import pytest

from services.events.app import create_app
from services.events.settings import Settings
from tests.events.programme import register_branches
from tests.events.study.season import Members
from tests.support import SERVICE_KEYS, Api, loopback_server, served
from tests.warm import settings_of

BRANCHES = ("HKCL", "KPL", "STPL", "TPO")
"""Branches that events knows."""


@pytest.fixture
async def members() -> AsyncIterator[Members]:
    members = Members()
    async with loopback_server(members.app()) as url:
        members.url = url
        yield members


@pytest.fixture
def settings(mongo_url: str, database: str, members: Members) -> Settings:
    return settings_of(
        Settings,
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        urls={"accounts": members.url},
        service_key=SERVICE_KEYS["events"],
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        await register_branches(api, *BRANCHES)
        yield api


@pytest.fixture
async def replica(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        yield api
