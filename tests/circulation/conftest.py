"""A desk at an open central library, with one patron."""

from collections.abc import AsyncIterator

import pytest

from services.circulation.app import create_app
from tests.circulation.desk import Desk, branch, patron, settings_for
from tests.support import served


@pytest.fixture
async def desk(mongo_url: str, database: str) -> AsyncIterator[Desk]:
    """A desk with patron p1 (adult) and branches HKCL (central) and LFU (small)."""
    async with served(create_app, settings_for(mongo_url, database)) as api:
        desk = Desk(api)
        await desk.hear(branch(), branch("LFU", "small"), patron())
        yield desk


@pytest.fixture
async def second(desk: Desk, mongo_url: str, database: str) -> AsyncIterator[Desk]:
    """Another replica on the same database."""
    async with served(create_app, settings_for(mongo_url, database)) as api:
        yield Desk(api)


@pytest.fixture
def desks(desk: Desk, second: Desk) -> tuple[Desk, Desk]:
    """Two replicas on one database."""
    return desk, second
