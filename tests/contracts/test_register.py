"""The schemas are registered at a schema registry: a small server that speaks its REST interface.

The server keeps subjects and versions as Confluent's registry does, and has its error codes. Of its
rules of compatibility it has those that are tested here: with an open object, new fields are
compatible forwards and not backwards, and another type of a field is compatible in no way.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from typer.testing import CliRunner, Result

from ops.commands import contracts
from shared.contracts import published

Schema = dict[str, Any]


@dataclass
class Registry:
    """The registry: the level and the versions of each subject, with the ids of schemas."""

    url: str = ""
    levels: dict[str, str] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    ids: dict[str, int] = field(default_factory=dict)
    password: str | None = None

    async def set_level(self, request: web.Request) -> web.Response:
        """Answer PUT /config/{subject}."""
        self._check(request)
        level = (await request.json())["compatibility"]
        self.levels[request.match_info["subject"]] = level
        return web.json_response({"compatibility": level})

    async def add_version(self, request: web.Request) -> web.Response:
        """Answer POST /subjects/{subject}/versions."""
        self._check(request)
        body, subject = await request.json(), request.match_info["subject"]
        assert body["schemaType"] == "JSON"
        text, versions = body["schema"], self.versions.setdefault(subject, [])
        if text not in versions:
            new = orjson.loads(text)
            for old in map(orjson.loads, versions):
                if fault := _fault(old, new, self.levels[subject]):
                    refused = {"error_code": 409, "message": f"incompatible: {fault}"}
                    return web.json_response(refused, status=409)
            versions.append(text)
        return web.json_response({"id": self.ids.setdefault(text, len(self.ids) + 1)})

    def _check(self, request: web.Request) -> None:
        assert request.content_type == "application/vnd.schemaregistry.v1+json"
        if self.password is not None:
            expected = base64.b64encode(f"carrel:{self.password}".encode()).decode()
            if request.headers.get("Authorization") != f"Basic {expected}":
                raise web.HTTPUnauthorized


def _fault(old: Schema, new: Schema, level: str) -> str:
    before, after = old["properties"], new["properties"]
    for name in sorted(before.keys() & after.keys()):
        if before[name].get("type") != after[name].get("type"):
            return f"TYPE_CHANGED {name}"
    added = sorted(after.keys() - before.keys())
    if added and level.startswith("BACKWARD"):
        return f"PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL {added[0]}"
    return ""


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    kept = Registry()
    app = web.Application()
    app.router.add_put("/config/{subject}", kept.set_level)
    app.router.add_post("/subjects/{subject}/versions", kept.add_version)
    async with TestServer(app) as server:
        kept.url = str(server.make_url("/")).rstrip("/")
        yield kept


async def register(*options: str, **environment: str) -> Result:
    runner = CliRunner(env={"COLUMNS": "80", "NO_COLOR": "1", **environment})
    return await asyncio.to_thread(runner.invoke, contracts.app, ["register", *options])


async def test_every_schema_is_registered_once_under_its_topic(registry: Registry) -> None:
    first = await register("--registry", registry.url)
    assert (first.exit_code, first.stderr) == (0, "")
    assert registry.versions.keys() == {f"{topic}-value" for topic in published()}
    assert set(registry.levels.values()) == {"FORWARD_TRANSITIVE"}
    [text] = registry.versions["loan.returned-value"]
    schema = orjson.loads(text)
    assert schema["x-topic"] == "loan.returned"
    assert "examples" not in schema  # an example more is no new version
    row = ["loan.returned-value", str(registry.ids[text])]
    assert row in [line.split() for line in first.stdout.splitlines()]
    again = await register(CARREL_REGISTRY=registry.url)
    assert again.stdout == first.stdout
    assert {len(versions) for versions in registry.versions.values()} == {1}


async def test_topics_have_the_prefix_of_their_system(registry: Registry) -> None:
    await register("--registry", registry.url, CARREL_TOPIC_PREFIX="library.")
    assert "library.loan.returned-value" in registry.versions
    assert all(subject.startswith("library.") for subject in registry.versions)


async def test_a_schema_with_a_new_field_is_the_next_version(registry: Registry) -> None:
    await register("--registry", registry.url)
    [text] = registry.versions["loan.returned-value"]
    earlier = orjson.loads(text)
    del earlier["properties"]["claimed_returned_on"]
    registry.versions["loan.returned-value"] = [orjson.dumps(earlier).decode()]
    assert (await register("--registry", registry.url)).exit_code == 0
    assert registry.versions["loan.returned-value"][1:] == [text]


async def test_a_refused_schema_is_named_and_the_others_are_registered(registry: Registry) -> None:
    await register("--registry", registry.url)
    earlier = orjson.loads(registry.versions["loan.returned-value"][0])
    earlier["properties"]["renewals"] = {"type": "string"}
    registry.versions = {"loan.returned-value": [orjson.dumps(earlier).decode()]}
    ran = await register("--registry", registry.url)
    assert ran.exit_code == 1
    assert "loan.returned-value: incompatible: TYPE_CHANGED renewals" in ran.stderr
    assert registry.versions.keys() == {f"{topic}-value" for topic in published()}


async def test_the_address_may_hold_a_password_that_is_never_printed(registry: Registry) -> None:
    registry.password = "a password"
    given = registry.url.replace("//", "//carrel:a%20password@")
    assert (await register("--registry", given)).exit_code == 0
    registry.password = "another one"
    ran = await register("--registry", given)
    assert ran.exit_code == 1
    assert ran.stderr == "The registry at 127.0.0.1 does not work (ClientResponseError).\n"


async def test_without_a_registry_the_command_says_so(unused_tcp_port: int) -> None:
    ran = await register("--registry", f"http://127.0.0.1:{unused_tcp_port}")
    assert ran.exit_code == 1
    assert ran.stderr == "The registry at 127.0.0.1 does not work (ClientConnectorError).\n"
    ran = await register("--registry", "localhost:8081")
    assert (ran.exit_code, "write an address such as" in ran.stderr) == (2, True)
