"""Network faults between circulation and its store, and between gateway and circulation.

Each of the two connections goes through a proxy of ours. Circulation reaches its store only
through it: `directConnection` keeps the driver from asking the replica set for its members.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from ops.audit.system import audit
from ops.infrastructure.embedded import embedded
from ops.infrastructure.processes import System, services
from services.settings import Settings
from tests.conftest import BROKER
from tests.faults.load import ANSWER_SECONDS, HUNG_SECONDS, KINDS, Load
from tests.faults.proxy import Proxy, proxied
from tests.faults.report import record
from tests.library import Library, unique
from tests.support import until
from tests.systems import data_folder

pytestmark = pytest.mark.embedded

FAULT_SECONDS = 4.0
"""Seconds of a fault: longer than a request may take to be answered, twice."""
BACK_WITHIN = 60.0
"""Seconds to wait for the recovery once the network is whole, without any restart."""

NAMES = {"store": "circulation and MongoDB", "circulation": "gateway and circulation"}


@dataclass(frozen=True)
class Wires:
    """The connections that a test can break."""

    store: Proxy
    """The connection from circulation to MongoDB."""
    circulation: Proxy
    """The connection from the gateway to circulation."""


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[System, Wires]]:
    """The whole system, with a proxy in each of the two connections."""
    with ExitStack() as stack:
        folder = stack.enter_context(data_folder(tmp_path_factory))
        infrastructure = stack.enter_context(
            embedded(folder, mongo_port=None, kafka_port=None, broker=BROKER)
        )
        assert infrastructure.mongod
        store = stack.enter_context(proxied(infrastructure.mongod.port))
        direct = f"mongodb://127.0.0.1:{store.port}/?directConnection=true"
        running = stack.enter_context(
            services(
                infrastructure,
                folder,
                simulation=True,
                usual_ports=False,
                environment={"circulation": {"CARREL_MONGO_URL": direct}},
            )
        )
        circulation = stack.enter_context(proxied(running.process("circulation").port))
        gateway = running.process("gateway")
        gateway.stop()
        gateway.environment = {
            **gateway.environment,
            "CARREL_CIRCULATION_URL": f"http://127.0.0.1:{circulation.port}",
        }
        gateway.start()
        yield running, Wires(store, circulation)


@pytest.fixture
def running(wired: tuple[System, Wires]) -> System:
    return wired[0]


@pytest.fixture
def wires(wired: tuple[System, Wires]) -> Iterator[Wires]:
    yield wired[1]
    wired[1].store.heal()
    wired[1].circulation.heal()


async def restored(load: Load, since: float) -> float:
    """Wait until commands begun after `since` succeed on all services; return the seconds."""

    async def all_succeed() -> bool:
        return all(load.first_success(since, *kinds) is not None for kinds in KINDS.values())

    await until(all_succeed, within=60)
    return max(load.first_success(since, *kinds) or 0.0 for kinds in KINDS.values())


def partition(wire: Proxy) -> None:
    wire.partition()


def delay(wire: Proxy) -> None:
    wire.delay(1.0)


def trickle(wire: Proxy) -> None:
    wire.trickle(2000)


def forget(wire: Proxy) -> None:
    wire.forget()


def reset(wire: Proxy) -> None:
    wire.reset()


async def ask_for_titles(library: Library) -> list[int]:
    """Send many requests at once, and return their statuses."""
    asked = [library.try_("GET", "/v1/titles?q=Title") for _ in range(40)]
    return [status for status, _ in await asyncio.gather(*asked)]


FAULTS: dict[str, Callable[[Proxy], None]] = {
    "partition": partition,
    "1 s of delay": delay,
    "2 kB a second": trickle,
    "connections forgotten": forget,
    "connections reset": reset,
}


@dataclass(frozen=True)
class Seen:
    """The outcome of one fault."""

    began: float
    ended: float
    """Time at which commands succeeded on all services again, from time.monotonic()."""
    answers: list[int]
    """Statuses of many requests through the broken connection."""
    overview: int
    """Status of a request that can be answered without it."""
    others: int
    """Number of commands of events that succeeded during the fault."""
    recovery: float


async def one_fault(load: Load, broken: Proxy, fault: Callable[[Proxy], None], patron: str) -> Seen:
    """Break a connection under load for some seconds, and wait until all services recover."""
    library = load.library
    broken.delay(0.1)
    await ask_for_titles(library)  # slowly, so that there are many connections to break
    broken.heal()
    began = time.monotonic()
    fault(broken)
    # Calls that hang must not keep others from being served, however many there are.
    answers = await ask_for_titles(library)
    overview, _ = await library.try_("GET", "/v1/me", by=patron)
    await asyncio.sleep(max(0.0, FAULT_SECONDS - (time.monotonic() - began)))
    others = load.succeeded(began, "activity")
    broken.heal()
    recovery = await restored(load, time.monotonic())
    return Seen(began, time.monotonic(), answers, overview, others, recovery)


@pytest.mark.parametrize("wire", ["store", "circulation"])
async def test_network_faults_lose_nothing_and_the_system_recovers(
    running: System, library: Library, wires: Wires, wire: str
) -> None:
    """The faults come one after another under one load, which an audit follows."""
    patron = await library.patron(await library.branch())
    async with Load(library) as load:
        await restored(load, time.monotonic())
        seen = {
            name: await one_fault(load, getattr(wires, wire), fault, patron)
            for name, fault in FAULTS.items()
        }
    found = await load.audited()
    for name, one in seen.items():
        during = [a for a in load.attempts if one.began <= a.began < one.ended]
        found.counts["commands"] = sum(attempt.succeeded for attempt in during)
        found.counts["late answers"] = sum(a.seconds > ANSWER_SECONDS for a in during)
        record(
            f"{NAMES[wire]}: {name}",
            running,
            invariant="answers in 2 s or 503; the rest works; heals by itself",
            found=found,
            recovery=one.recovery,
        )
    load.check_answers()
    for name, one in seen.items():
        assert one.overview == 200, name
        assert set(one.answers) <= {200, 503}, name
        assert one.others > 0, name
    assert found.findings == []


async def test_a_service_answers_503_while_its_store_is_silent(
    running: System, library: Library, wires: Wires
) -> None:
    url = f"{running.url('circulation')}/v1/titles?q=Title"
    async with aiohttp.ClientSession() as session:

        async def answer() -> int:
            async with session.get(url) as response:
                return response.status

        wires.store.partition()
        async with asyncio.timeout(HUNG_SECONDS):  # the store stays silent until it is healed
            answers = await asyncio.gather(*(answer() for _ in range(20)))
        wires.store.heal()
        assert set(answers) == {503}
        assert await until(lambda: succeeds(answer), within=BACK_WITHIN)


async def succeeds(answer: Callable[[], Awaitable[int]]) -> bool:
    return await answer() == 200


async def test_a_retry_after_a_lost_answer_gets_the_first_response(
    running: System, library: Library, wires: Wires
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    barcodes = await library.copies(branch, 5)
    await library.flow.settle(within=60)
    kept = []
    for barcode in barcodes:
        body = {"card_number": card, "barcodes": [barcode], "branch": branch}
        key = unique("K")
        wires.store.lose_answer_to(b"commitTransaction")
        async with asyncio.timeout(HUNG_SECONDS):  # the answer never comes
            status, answer = await library.try_("POST", "/v1/checkouts", body, by="staff", key=key)
        wires.store.heal()
        assert status == 503, answer

        async def again(body: Any = body, key: str = key) -> Any:
            status, answer = await library.try_("POST", "/v1/checkouts", body, by="staff", key=key)
            return answer if status < 400 else None

        first = await until(again, within=BACK_WITHIN)
        assert await again() == first
        [result] = first["results"]
        assert result["ok"], result
        kept.append(result["loan"]["id"])
    loans = (await library.get("/v1/me", by=card))["loans"]
    await library.flow.settle(within=60)
    found = await audit(running.settings(Settings))
    record(
        "answer to a commit lost",
        running,
        invariant="503, and the first answer for the retry with the same key",
        found=found,
        counts={"commands": len(barcodes)},
    )
    assert sorted(loan["id"] for loan in loans) == sorted(kept)
    assert found.findings == []
