"""Calls to an owner with several addresses, and to one that ends while it is called."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest
from prometheus_client import REGISTRY

from services.gateway.edge.liveness import FAILURES, Circuit
from services.gateway.settings import Settings
from tests.gateway.test_proxy import Gateway
from tests.support import reaching, until
from tests.warm import nobody

ANSWER = b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\ndone"
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n"
BROKEN = b""
"""The connection ends when the request has come."""
CUT = ANSWER[:-2]


class Replica:
    """A replica with one answer for each command, the last of them again and again."""

    def __init__(self, answers: Sequence[bytes]) -> None:
        self.answers = [*answers]
        self.asked: list[str] = []
        """The Idempotency-Key of each command."""
        self.live = True
        self.url = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            if head.startswith("get /health/live"):
                status = "200 OK" if self.live else "503 Service Unavailable"
                writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            else:
                lines = head.split("\r\n")
                key = next((one for one in lines if one.startswith("idempotency-key: ")), "")
                self.asked.append(key.removeprefix("idempotency-key: "))
                writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def replica(*answers: bytes) -> AsyncIterator[Replica]:
    one = Replica(answers)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield one


def at(settings: Settings, *urls: str) -> Settings:
    """Return settings with circulation at these addresses."""
    return reaching(settings, circulation=",".join(urls))


@pytest.mark.parametrize("key", [None, "k"])
async def test_a_command_that_was_refused_at_connecting_is_sent_to_another_address(
    settings: Settings, gateway: Gateway, key: str | None
) -> None:
    async with replica(ANSWER) as other, gateway(at(settings, nobody(), other.url)) as api:
        for _ in range(4):  # each address is the first in turn
            assert (await api.post("/v1/checkouts", {}, key=key)).status == 201
    assert len(other.asked) == 4


@pytest.mark.parametrize("fault", [BROKEN, CUT, BUSY], ids=["broken", "cut off", "503"])
async def test_a_keyed_command_is_repeated_at_another_address_and_no_other_command_is(
    settings: Settings, gateway: Gateway, fault: bytes
) -> None:
    async with (
        replica(fault) as ill,
        replica(ANSWER) as well,
        gateway(at(settings, ill.url, well.url)) as api,
    ):
        for number in range(4):
            assert (await api.post("/v1/checkouts", {}, key=f"k{number}")).status == 201
        assert well.asked == ["k0", "k1", "k2", "k3"]
        assert set(ill.asked) <= set(well.asked)
        assert ill.asked, "the ill replica was never tried"

        ill.asked.clear()
        well.asked.clear()
        statuses = [(await api.post("/v1/checkouts", {})).status for _ in range(4)]
        assert len(ill.asked) + len(well.asked) == 4
        assert (statuses.count(503), statuses.count(201)) == (len(ill.asked), len(well.asked))


@pytest.mark.parametrize("fault", [BROKEN, CUT, BUSY], ids=["broken", "cut off", "503"])
async def test_a_keyed_command_is_repeated_at_the_same_address(
    settings: Settings, gateway: Gateway, fault: bytes
) -> None:
    async with replica(fault, ANSWER) as balancer, gateway(at(settings, balancer.url)) as api:
        assert (await api.post("/v1/checkouts", {}, key="k")).status == 201
        assert balancer.asked == ["k", "k"]
    async with replica(fault, ANSWER) as balancer, gateway(at(settings, balancer.url)) as api:
        assert (await api.post("/v1/checkouts", {})).status == 503
        assert balancer.asked == [""]


async def test_a_503_of_all_replicas_is_repeated_once(settings: Settings, gateway: Gateway) -> None:
    """An owner that is overloaded does not get a multiple of its load."""
    async with (
        replica(BUSY) as one,
        replica(BUSY) as two,
        gateway(at(settings, one.url, two.url)) as api,
    ):
        assert (await api.post("/v1/checkouts", {}, key="k")).status == 503
        assert one.asked + two.asked == ["k", "k"]


async def test_a_command_fails_at_once_where_every_circuit_is_open(
    settings: Settings, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Circuit, "alive", lambda _: None)  # the probe is answered all the time
    async with replica(ANSWER) as one, gateway(at(settings, one.url)) as api:
        liveness = api.app.state.liveness
        for _ in range(FAILURES):
            with pytest.raises(TimeoutError), liveness.calling("circulation", one.url, "POST"):
                raise TimeoutError
        liveness.saw("circulation", True, one.url)
        labels = {"owner": "circulation", "address": one.url, "calls": "commands"}
        before = REGISTRY.get_sample_value("carrel_owner_calls_refused_total", labels) or 0
        assert (await api.post("/v1/checkouts", {}, key="k")).status == 503
        after = REGISTRY.get_sample_value("carrel_owner_calls_refused_total", labels)
        assert (after, one.asked) == (before + 1, [])


async def test_a_replica_that_says_it_is_not_ready_is_not_called(
    settings: Settings, gateway: Gateway
) -> None:
    async with (
        replica(ANSWER) as stopping,
        replica(ANSWER) as other,
        gateway(at(settings, stopping.url, other.url)) as api,
    ):
        stopping.live = False

        async def known() -> bool:
            first = {api.app.state.liveness.addresses_of("circulation")[0] for _ in range(2)}
            return first == {other.url}

        await until(known)
        for _ in range(4):
            assert (await api.post("/v1/checkouts", {})).status == 201
        assert (stopping.asked, len(other.asked)) == ([], 4)
