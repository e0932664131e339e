"""One system for all tests of security, and the document of what can be called on it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from ops.processes import System, system
from tests.library import Library


@pytest.fixture(scope="package")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """Database, broker and the five services as processes."""
    folder = tmp_path_factory.mktemp("system")
    with system(folder, simulation=True, usual_ports=False) as started:
        yield started


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked of the gateway, as the document has it."""

    method: str
    path: str
    roles: frozenset[str]
    """Of which a caller has to have one; none: anyone may call."""
    said: dict[str, Any]

    @property
    def id(self) -> str:
        """As people write it."""
        return f"{self.method} {self.path}"

    @property
    def has_body(self) -> bool:
        """Whether it takes one."""
        return "requestBody" in self.said

    @property
    def parameters(self) -> list[str]:
        """The names in its path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

    @property
    def queries(self) -> list[str]:
        """The names in its query."""
        return [one["name"] for one in self.said.get("parameters", ()) if one["in"] == "query"]


async def operations(library: Library) -> list[Operation]:
    """All that the document has. It is whole only once every service has answered for its part."""
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
