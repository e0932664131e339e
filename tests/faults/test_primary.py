"""MongoDB as a replica set of three: what the loss of its nodes does to a library at work.

A `gap` is the longest time in which no command succeeded.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from ops.child import Child
from ops.processes import System, system
from tests.conftest import BROKER
from tests.faults.load import KINDS, Load
from tests.faults.report import record
from tests.library import Library
from tests.support import until

pytestmark = pytest.mark.embedded

GAP_SECONDS = 15.0
BEFORE = 3.0
"""Seconds of load before the fault."""

Mongo = AsyncMongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on three nodes of MongoDB."""
    folder = tmp_path_factory.mktemp("system")
    with system(
        folder, simulation=True, usual_ports=False, broker=BROKER, mongo_nodes=3
    ) as started:
        yield started


@pytest.fixture
async def mongo(running: System) -> AsyncIterator[Mongo]:
    url = running.infrastructure.mongo_url
    client: Mongo = AsyncMongoClient(url, serverSelectionTimeoutMS=1000)
    async with client:
        yield client


def nodes(running: System) -> list[Child]:
    infrastructure = running.infrastructure
    return [node for node in (infrastructure.mongod, *infrastructure.more_mongods) if node]


async def primary(running: System, mongo: Mongo) -> Child:
    """The node that takes writes; waits for an election if there is one."""

    async def found() -> Child | None:
        try:
            hello = await mongo.admin.command("hello")
        except PyMongoError:
            return None
        port = int(hello["me"].rpartition(":")[2])
        return next(node for node in nodes(running) if node.port == port)

    answer: Child = await until(found, within=60)
    return answer


async def caught_up(running: System, mongo: Mongo) -> None:
    """Wait until every node has all that the primary has."""

    async def all_equal() -> bool:
        try:
            members = (await mongo.admin.command("replSetGetStatus"))["members"]
        except PyMongoError:
            return False
        behind = {member["optimeDate"] for member in members}
        return all(m["stateStr"] in ("PRIMARY", "SECONDARY") for m in members) and len(behind) == 1

    await until(all_equal, within=60)


async def recovered(load: Load, since: float) -> float:
    """Wait for a success of every service after `since`; seconds until the last of them."""

    async def all_succeed() -> bool:
        return all(load.first_success(since, *kinds) is not None for kinds in KINDS.values())

    await until(all_succeed, within=60)
    return max(load.first_success(since, *kinds) or 0.0 for kinds in KINDS.values())


async def test_a_killed_primary_is_replaced_and_comes_back(
    running: System, library: Library, mongo: Mongo
) -> None:
    lost = await primary(running, mongo)
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        killed = time.monotonic()
        await asyncio.to_thread(lost.kill)
        recovery = await recovered(load, killed)
        gap = load.longest_gap(killed)
        await asyncio.to_thread(lost.start)
        await asyncio.sleep(BEFORE)
    await caught_up(running, mongo)
    found = await load.audited()
    record(
        "MongoDB primary killed",
        running,
        invariant=f"no success for at most {GAP_SECONDS:.0f} s; answers in 2 s or 503",
        found=found,
        recovery=recovery,
    )
    load.check_answers()
    assert found.findings == []
    assert gap < GAP_SECONDS


async def test_a_primary_that_steps_down_is_replaced_at_once(
    running: System, library: Library, mongo: Mongo
) -> None:
    await caught_up(running, mongo)
    before = await primary(running, mongo)
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        stepped = time.monotonic()
        with contextlib.suppress(AutoReconnect):  # it hangs up on everyone
            await mongo.admin.command({"replSetStepDown": 30})
        recovery = await recovered(load, stepped)
        gap = load.longest_gap(stepped)
    assert await primary(running, mongo) is not before
    found = await load.audited()
    record(
        "MongoDB primary steps down",
        running,
        invariant=f"no success for at most {GAP_SECONDS:.0f} s; answers in 2 s or 503",
        found=found,
        recovery=recovery,
    )
    load.check_answers()
    assert found.findings == []
    assert gap < GAP_SECONDS


async def test_a_lost_secondary_is_not_noticed(
    running: System, library: Library, mongo: Mongo
) -> None:
    await caught_up(running, mongo)
    first = await primary(running, mongo)
    lost = next(node for node in nodes(running) if node is not first)
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        killed = time.monotonic()
        await asyncio.to_thread(lost.kill)
        await recovered(load, killed)
        statuses = load.statuses(killed)
        await asyncio.to_thread(lost.start)
    await caught_up(running, mongo)
    found = await load.audited()
    record(
        "MongoDB secondary killed",
        running,
        invariant="no command fails",
        found=found,
    )
    load.check_answers()
    assert found.findings == []
    assert 503 not in statuses, statuses


async def test_without_a_majority_commands_wait_and_it_heals_by_itself(
    running: System, library: Library, mongo: Mongo
) -> None:
    await caught_up(running, mongo)
    first = await primary(running, mongo)
    lost = [first, next(node for node in nodes(running) if node is not first)]
    async with Load(library) as load:
        await asyncio.sleep(BEFORE)
        for node in lost:
            await asyncio.to_thread(node.kill)
        gone = time.monotonic()
        await asyncio.sleep(10)
        meanwhile = load.statuses(gone)
        for node in lost:
            await asyncio.to_thread(node.launch)
        back = time.monotonic()
        recovery = await recovered(load, back)
    await caught_up(running, mongo)
    found = await load.audited()
    record(
        "MongoDB majority killed",
        running,
        invariant="503 in 2 s; heals without a restart of services",
        found=found,
        recovery=recovery,
    )
    load.check_answers()
    assert found.findings == []
    assert set(meanwhile) == {503}
