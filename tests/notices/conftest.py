"""Notices on a real database, and a double of circulation and events over real HTTP."""

from collections.abc import AsyncIterator

import pytest

from services.notices.app import create_app
from services.notices.settings import Settings
from tests.mail_server import MailServer, listening
from tests.notices.lending import Lending, lending_served
from tests.support import SERVICE_KEYS, Api, served
from tests.warm import settings_of


@pytest.fixture
async def lending() -> AsyncIterator[Lending]:
    async with lending_served() as lending:
        yield lending


@pytest.fixture
async def server() -> AsyncIterator[MailServer]:
    """A mail server."""
    async with listening(MailServer()) as server:
        yield server


@pytest.fixture
def settings(mongo_url: str, database: str, lending: Lending) -> Settings:
    return settings_of(
        Settings,
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        urls=dict.fromkeys(("accounts", "circulation", "events"), lending.url),
        service_key=SERVICE_KEYS["notices"],
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    async with served(create_app, settings) as api:
        yield api


@pytest.fixture
async def replica(settings: Settings, api: Api) -> AsyncIterator[Api]:
    """A second replica on the same database, started after the first has set it up."""
    async with served(create_app, settings) as second:
        yield second
