"""Nothing counts as done while only a minority of the database's nodes has it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from ops.infrastructure.embedded import Infrastructure, embedded
from services.settings import Settings
from shared.bus import together
from shared.idempotency import IdempotencyKey
from shared.mongo import Document
from shared.unit_of_work import UnitOfWork
from tests.library import unique
from tests.shared.test_together import Handler, call, event
from tests.shared.things import ORIGIN, Raise, raise_count
from tests.support import until
from tests.systems import data_folder

SHORT = 0.5
"""Seconds of an attempt."""


@pytest.fixture(scope="module")
def three_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Infrastructure]:
    """Three nodes of MongoDB, of which the primary stays so for a minute without a majority."""
    with (
        data_folder(tmp_path_factory) as folder,
        embedded(folder, kafka=False, mongo_port=None, mongo_nodes=3) as started,
        MongoClient[Document](started.mongo_url) as client,
    ):
        config = client.admin.command("replSetGetConfig")["config"]
        config["version"] += 1
        config["settings"]["electionTimeoutMillis"] = 60_000
        client.admin.command("replSetReconfig", config)
        yield started


@pytest.fixture
def settings(three_nodes: Infrastructure) -> Settings:
    return Settings(mongo_url=three_nodes.mongo_url, database_prefix=unique("majority"))


@asynccontextmanager
async def primary_alone(nodes: Infrastructure, unit_of_work: UnitOfWork) -> AsyncIterator[None]:
    """Suspend all nodes but the primary, which must still be the primary at the end."""
    client = unit_of_work.database.client
    hello = await client.admin.command("hello")
    others = [
        node
        for node in (nodes.mongod, *nodes.more_mongods)
        if node is not None and not hello["me"].endswith(f":{node.port}")
    ]
    assert len(others) == 2
    for node in others:
        node.suspend()
    try:
        yield
        assert (await client.admin.command("hello"))["isWritablePrimary"]
    finally:
        for node in others:
            node.resume()


async def request(unit_of_work: UnitOfWork) -> None:
    await unit_of_work.run(
        raise_count, Raise("a"), ORIGIN, idempotency_key=IdempotencyKey("k", "f"), within=SHORT
    )


async def single_event(unit_of_work: UnitOfWork) -> None:
    await unit_of_work.run(raise_count, Raise("a"), ORIGIN, inbox="e", within=SHORT)


async def events_together(unit_of_work: UnitOfWork) -> None:
    calls = [call(Handler(), event(key, 1), f"e-{key}", n) for n, key in enumerate("ab")]
    await together.handle(unit_of_work, calls)


@pytest.mark.parametrize("send", [request, single_event, events_together])
async def test_a_repeat_is_not_done_before_a_majority_has_the_change(
    three_nodes: Infrastructure,
    unit_of_work: UnitOfWork,
    monkeypatch: pytest.MonkeyPatch,
    send: Callable[[UnitOfWork], Awaitable[None]],
) -> None:
    monkeypatch.setattr(together, "TOGETHER_SECONDS", SHORT)

    async def is_done() -> bool:
        try:
            await send(unit_of_work)
        except PyMongoError:
            return False
        return True

    await unit_of_work.run(raise_count, Raise("another"), ORIGIN)
    async with primary_alone(three_nodes, unit_of_work):
        assert [await is_done(), await is_done()] == [False, False]
    await until(is_done, within=60)
    thing = await unit_of_work.database.things.find_one({"_id": "a"})
    assert thing is not None
    assert thing["count"] == 1
