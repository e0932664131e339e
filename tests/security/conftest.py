"""One system for all security tests, and the operations that its document lists."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ops.infrastructure.processes import System
from services.accounts.settings import Settings as AccountsSettings
from shared.http import dependencies
from tests.device import ENVIRONMENT
from tests.keys import CARD_KEY, DERIVING
from tests.library import Library
from tests.support import PUBLIC_SERVICE_KEYS, SERVICE_KEYS
from tests.systems import started_system

UNLIMITED = {
    "accounts": {"CARREL_WRONG_PINS_PER_NETWORK": "0", "CARREL_WRONG_PINS_OF_STRANGERS": "0"}
}
"""Settings for a file whose calls try many invented PINs from one address."""


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services as processes."""
    with started_system(tmp_path_factory, environment=ENVIRONMENT) as started:
        yield started


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine makes requests slow; here they don't fail for that."""
    monkeypatch.setattr(dependencies, "STORE_SECONDS", 60.0)


@pytest.fixture
def of_accounts(mongo_url: str, database: str) -> AccountsSettings:
    """Return settings of accounts, for replicas in the test process."""
    return AccountsSettings(
        mongo_url=mongo_url,
        database_prefix=database,
        roles=("api",),
        simulation=True,
        card_key=CARD_KEY,
        **DERIVING,
        service_secret="the secret of all services",
        service_key=SERVICE_KEYS["accounts"],
        service_keys=PUBLIC_SERVICE_KEYS,
    )


@dataclass(frozen=True)
class Operation:
    """An operation of the gateway according to its OpenAPI document."""

    method: str
    path: str
    roles: frozenset[str]
    """Roles of which a caller must have one; empty if anyone may call."""
    said: dict[str, Any]

    @property
    def id(self) -> str:
        """Method and path, such as "POST /v1/holds"."""
        return f"{self.method} {self.path}"

    @property
    def has_body(self) -> bool:
        """Return whether the operation takes a body of JSON."""
        return "application/json" in self.said.get("requestBody", {}).get("content", {})

    @property
    def parameters(self) -> list[str]:
        """Names of the parameters in its path."""
        return re.findall(r"\{(\w+)\}", self.path)

    @property
    def queries(self) -> list[str]:
        """Names of the parameters in its query."""
        return [one["name"] for one in self.said.get("parameters", ()) if one["in"] == "query"]


async def operations(library: Library) -> list[Operation]:
    """Return all operations of the document, once every service has supplied its part."""
    document = await library.get("/openapi.json")
    while "x-missing" in document:
        document = await library.get("/openapi.json")
    return [
        Operation(
            method.upper(), path, frozenset(role for one in said["security"] for role in one), said
        )
        for path, by_method in document["paths"].items()
        for method, said in by_method.items()
    ]
