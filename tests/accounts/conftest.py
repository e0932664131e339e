"""Two replicas of accounts on one real database, and the circulation that they ask."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from services.accounts.app import create_app
from services.accounts.settings import Settings
from services.accounts.sign_in import routes as sign_in_routes
from services.circulation.app import create_app as create_circulation
from shared.auth import Verifier
from shared.owners import Owners
from tests.accounts.people import register_branches
from tests.circulation.desk import Desk, branch, settings_for
from tests.keys import CARD_KEY, DERIVING
from tests.support import (
    PUBLIC_SERVICE_KEYS,
    SERVICE_KEYS,
    Api,
    reaching,
    served,
    test_keys,
)
from tests.warm import settings_of


class Clock:
    """The wall clock of log-ins, which a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sign_in_routes, "wall_clock", clock)
    return clock


@pytest.fixture
def settings(mongo_url: str, database: str) -> Settings:
    return settings_of(
        Settings,
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key=CARD_KEY,
        **DERIVING,
        service_secret="secret of these tests",
        service_key=SERVICE_KEYS["accounts"],
        service_keys=PUBLIC_SERVICE_KEYS,
    )


@pytest.fixture
async def api(settings: Settings) -> AsyncIterator[Api]:
    """accounts, verifying the tokens of people.py."""
    async with served(create_app, settings) as api:
        await register_branches(api, "KPL", "STPL")
        yield api


@pytest.fixture
async def other_replica(settings: Settings) -> AsyncIterator[Api]:
    """Another replica of accounts on the same database, which accepts only its own tokens."""
    async with served(create_app, settings, trust_test_keys=False) as api:
        yield api


@pytest.fixture
async def lending(
    settings: Settings, api: Api, mongo_url: str, database: str
) -> AsyncIterator[Desk]:
    """A real circulation that accounts can reach, with a branch."""
    own = reaching(settings_for(mongo_url, database), accounts=api.url).model_copy(
        update={"service_key": SERVICE_KEYS["circulation"]}
    )
    async with served(create_circulation, own) as circulation:

        async def keys() -> dict[str, Any]:
            published = (await api.get("/v1/keys")).json()["keys"]
            return {"keys": [*published, *(await test_keys())["keys"]]}

        # Tokens of people are signed by the tests, those of services by accounts.
        api.app.state.verifier = circulation.app.state.verifier = Verifier(keys)
        desk = Desk(circulation)
        await desk.hear(branch())
        owners = Owners(
            reaching(settings, accounts=api.url, circulation=circulation.url), "accounts"
        )
        api.app.state.owners = api.app.state.unit_of_work.owners = owners
        yield desk
        await owners.close()
