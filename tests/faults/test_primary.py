"""MongoDB as a replica set of three nodes that are lost while a library is at work.

Each test measures how soon commands succeed again, with three nodes, two gateways and a load on
two cores: next to another system, the answers would be late because of the machine.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from pymongo import AsyncMongoClient
from pymongo.errors import AutoReconnect, PyMongoError

from ops.audit.system import audit
from ops.infrastructure.child import Child
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.conftest import BROKER
from tests.faults.load import KINDS, Load
from tests.faults.readers import Reader
from tests.faults.report import record
from tests.faults.test_owners_away import attempt
from tests.library import Library, unique
from tests.secured import administrators
from tests.support import until
from tests.systems import SECURED, started_system

pytestmark = [pytest.mark.embedded, pytest.mark.alone]

BEFORE = 3.0
"""Seconds of load before the fault."""
BOOKS = 10
"""Number of books of one patron, the most that they may borrow."""

Mongo = AsyncMongoClient[dict[str, Any]]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """The whole system on three nodes of MongoDB, with two gateways."""
    with started_system(
        tmp_path_factory,
        on_disk=True,
        replicas={"gateway": 2},
        mongo_nodes=3,
        broker=SECURED if BROKER == SECURED else "embedded",
    ) as started:
        yield started


@pytest.fixture
async def mongo(running: System) -> AsyncIterator[Mongo]:
    url = administrators(running).mongo_url
    client: Mongo = AsyncMongoClient(url, serverSelectionTimeoutMS=1000)
    async with client:
        yield client


def nodes(running: System) -> list[Child]:
    infrastructure = running.infrastructure
    return [node for node in (infrastructure.mongod, *infrastructure.more_mongods) if node]


async def primary(running: System, mongo: Mongo) -> Child:
    """Return the node that takes writes, after waiting for an election if there is one."""

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
    """Wait until every node has all the data of the primary."""

    async def all_equal() -> bool:
        try:
            members = (await mongo.admin.command("replSetGetStatus"))["members"]
        except PyMongoError:
            return False
        behind = {member["optimeDate"] for member in members}
        return all(m["stateStr"] in ("PRIMARY", "SECONDARY") for m in members) and len(behind) == 1

    await until(all_equal, within=60)


async def recovered(load: Load, since: float) -> float:
    """Wait for a success of every service after `since`; return the seconds until the last."""

    async def all_succeed() -> bool:
        return all(load.first_success(since, *kinds) is not None for kinds in KINDS.values())

    await until(all_succeed, within=60)
    return max(load.first_success(since, *kinds) or 0.0 for kinds in KINDS.values())


@dataclass(frozen=True)
class Outcome:
    """The outcome of one fault."""

    recovery: float
    """Seconds until commands succeeded on all services."""
    statuses: dict[int, int]
    """Number of attempts while nodes were away, by status."""


Fault = Callable[[System, Mongo, Load], Awaitable[Outcome]]


async def kill_a_secondary(running: System, mongo: Mongo, load: Load) -> Outcome:
    first = await primary(running, mongo)
    lost = next(node for node in nodes(running) if node is not first)
    killed = time.monotonic()
    await asyncio.to_thread(lost.kill)
    await asyncio.sleep(BEFORE)
    statuses = load.statuses(killed)
    recovery = await recovered(load, killed)
    await asyncio.to_thread(lost.start)
    return Outcome(recovery, statuses)


async def kill_the_primary(running: System, mongo: Mongo, load: Load) -> Outcome:
    lost = await primary(running, mongo)
    killed = time.monotonic()
    await asyncio.to_thread(lost.kill)
    recovery = await recovered(load, killed)
    await asyncio.to_thread(lost.start)
    return Outcome(recovery, load.statuses(killed))


async def let_the_primary_step_down(running: System, mongo: Mongo, load: Load) -> Outcome:
    before = await primary(running, mongo)
    stepped = time.monotonic()
    with contextlib.suppress(AutoReconnect):  # it closes all connections
        await mongo.admin.command({"replSetStepDown": 30})
    recovery = await recovered(load, stepped)
    assert await primary(running, mongo) is not before
    return Outcome(recovery, load.statuses(stepped))


async def kill_a_majority(running: System, mongo: Mongo, load: Load) -> Outcome:
    first = await primary(running, mongo)
    lost = [first, next(node for node in nodes(running) if node is not first)]
    for node in lost:
        await asyncio.to_thread(node.kill)
    gone = time.monotonic()
    await asyncio.sleep(10)
    meanwhile = load.statuses(gone)
    for node in lost:
        await asyncio.to_thread(node.launch)
    return Outcome(await recovered(load, time.monotonic()), meanwhile)


UNTIL_ELECTED = "503 until a new primary is elected; heals without a restart of services"
FAULTS: dict[str, tuple[Fault, str]] = {
    "MongoDB secondary killed": (kill_a_secondary, "commands go on"),
    "MongoDB primary killed": (kill_the_primary, UNTIL_ELECTED),
    "MongoDB primary steps down": (let_the_primary_step_down, UNTIL_ELECTED),
    "MongoDB majority killed": (
        kill_a_majority,
        "503 in 2 s; heals without a restart of services",
    ),
}
"""Faults with what holds in each."""


async def test_commands_continue_through_the_loss_of_nodes(
    running: System, library: Library, mongo: Mongo
) -> None:
    """The faults come one after another under one load, which an audit follows."""
    outcomes: dict[str, Outcome] = {}
    async with Load(library) as load:
        for name, (fault, _) in FAULTS.items():
            await asyncio.sleep(BEFORE)
            await caught_up(running, mongo)
            outcomes[name] = await fault(running, mongo, load)
        await asyncio.sleep(BEFORE)
    await caught_up(running, mongo)
    found = await load.audited()
    for name, one in outcomes.items():
        without = name == "MongoDB secondary killed"
        record(
            name,
            running,
            invariant=FAULTS[name][1],
            found=found,
            counts={"503 without it": one.statuses.get(503, 0)} if without else None,
            recovery=None if without else one.recovery,
        )
    load.check_answers()
    assert found.findings == []
    # If writes waited for the node, all commands would be refused; a few are on a busy machine.
    secondary = outcomes["MongoDB secondary killed"].statuses
    assert secondary.get(503, 0) <= sum(secondary.values()) / 5, secondary
    assert set(outcomes["MongoDB majority killed"].statuses) == {503}


async def test_streams_of_accounts_continue_through_the_loss_of_the_primary(
    running: System, library: Library, mongo: Mongo
) -> None:
    await caught_up(running, mongo)
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends only at branches that it knows
    books = {await library.patron(branch): await library.copies(branch, BOOKS) for _ in range(4)}
    here, there = running.url("gateway", 0), running.url("gateway", 1)
    acknowledged: dict[str, float] = {}
    gone = asyncio.Event()

    async def borrow(card: str, *, on: bool) -> None:
        """Half of the patrons stop at their first success after the loss."""
        for barcode in books[card]:
            body = {"card_number": card, "barcodes": [barcode], "branch": branch}
            key = unique("K")

            async def lent(body: Any = body, key: str = key) -> bool:
                return await attempt(library, ("staff", "/v1/checkouts", body), key) < 400

            await until(lent, within=60, every=0.1)
            acknowledged[barcode] = time.monotonic()
            if gone.is_set() and not on:
                return
            await asyncio.sleep(0.5)

    async with contextlib.AsyncExitStack() as stack:
        readers = [
            await stack.enter_async_context(reader)
            for card in books
            for reader in (
                Reader(library, card, [here]),
                Reader(library, card, [there]),
                Reader(library, card, [here, there], restless=1.5),
                Reader(library, card, [there], page=True),
            )
        ]
        for reader in readers:
            await until(reader.has_begun, within=30)
        lost = await primary(running, mongo)
        borrowing = asyncio.gather(*(borrow(card, on=bool(n % 2)) for n, card in enumerate(books)))

        async def some_are_lent() -> bool:
            return len(acknowledged) >= len(books) * 2

        await until(some_are_lent, within=30)
        killed = time.monotonic()
        await asyncio.to_thread(lost.kill)
        gone.set()
        await borrowing
        for card in books:

            async def all_see_it(card: str = card) -> bool:
                account = await library.get("/v1/me", by=card)
                said = account | {"sources": None}
                theirs = [one.account for one in readers if one.card == card]
                return all(one | {"sources": None} == said for one in theirs)

            async with asyncio.timeout(30):  # the gateways look by themselves after 60 s
                await until(all_see_it)
        await asyncio.to_thread(lost.start)
    await caught_up(running, mongo)
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    after = [barcode for barcode, at in acknowledged.items() if at > killed]
    known = {
        barcode: max(one.seen[barcode] for one in readers if barcode in books[one.card])
        for barcode in acknowledged
    }
    record(
        "MongoDB primary killed while accounts are followed",
        running,
        invariant="each reader receives every committed change, and none twice",
        found=found,
        counts={
            "commands": len(acknowledged),
            "readers": len(readers),
            "connections": sum(one.lines for one in readers),
        },
        recovery=min(known[barcode] for barcode in after) - killed,
    )
    assert [fault for one in readers for fault in one.faults] == []
    assert found.findings == []
    assert len(after) > len(books)
    for card, barcodes in books.items():
        shown = {loan["barcode"] for loan in (await library.get("/v1/me", by=card))["loans"]}
        assert shown == acknowledged.keys() & set(barcodes)
