"""TLS between services: what it protects, that connections are kept, and what a call costs."""

import asyncio
import os
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from statistics import median

import aiohttp
import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.registry import NAMES
from services.settings import Settings
from shared.owners import OwnerAway, Owners
from tests.library import Library
from tests.ops.command import run
from tests.secured import Certificates
from tests.support import until
from tests.systems import data_folder, system_in

pytestmark = pytest.mark.embedded  # the broker has no part in it
REPLICAS = 2
CALLS = 60
LIVE = "/health/live"


def tls_of(certificates: Certificates, service: str) -> dict[str, str]:
    """Return the variables with which a service speaks TLS."""
    own = str(certificates.of(service))
    return {
        "CARREL_TLS_CA_FILE": str(certificates.authority),
        "CARREL_TLS_CERTIFICATE_FILE": own,
        "CARREL_TLS_KEY_FILE": own,
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with data_folder(tmp_path_factory) as made:
        yield made


@pytest.fixture(scope="module")
def certificates(folder: Path) -> Certificates:
    return Certificates(folder / "certificates")


@pytest.fixture(scope="module")
def running(folder: Path, certificates: Certificates) -> Iterator[System]:
    """Two processes of each service, which note the secrets of each handshake in a file."""
    environment = {name: tls_of(certificates, name) for name in NAMES}
    for name in NAMES:
        for replica in range(REPLICAS):
            process = f"{name}-{replica}"
            environment[process] = {"SSLKEYLOGFILE": str(folder / f"{process}.keys")}
    with system_in(
        folder,
        replicas=dict.fromkeys(NAMES, REPLICAS),
        environment=environment,
        operators={"CARREL_TLS_CA_FILE": str(certificates.authority)},
    ) as started:
        yield started


@pytest.fixture
async def library(running: System) -> AsyncIterator[Library]:
    async with Library(running) as opened:
        yield opened


def handshakes(folder: Path, service: str) -> int:
    """Return the number of handshakes of a service so far: each has a random number of its own."""
    lines = [
        line.split()[1]
        for replica in range(REPLICAS)
        for line in (folder / f"{service}-{replica}.keys").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    return len(set(lines))


async def test_a_day_over_tls_is_shown_at_once_and_adds_up(
    library: Library, running: System
) -> None:
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    barcodes = await library.copies(branch, 2)
    await library.lend(card, barcodes, branch)
    for replica in range(REPLICAS):  # an own write is there on every gateway, without events
        url = f"{running.url('gateway', replica)}/v1/me"
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=running.tls)) as other:
            headers = {
                "Authorization": f"Bearer {library.tokens[card]}",
                "Carrel-Time": library.now,
            }
            async with other.get(url, headers=headers) as response:
                assert len((await response.json())["loans"]) == len(barcodes)
    await library.take_back(barcodes, branch)
    await library.flow.settle(within=60)
    assert (await audit(running.settings(Settings))).findings == []


async def test_connections_are_kept(library: Library, folder: Path) -> None:
    """Sixty calls after another, which the owner answers, need no connection each."""
    branch = await library.branch()
    card = await library.patron(branch)
    before = handshakes(folder, "circulation")
    for _ in range(CALLS):
        assert (await library.try_("GET", "/v1/me/loans", by=card))[0] == 200
    made = handshakes(folder, "circulation") - before
    print(f"{made} handshakes of circulation in {CALLS} calls")  # noqa: T201 - pytest -s shows it
    assert made < CALLS / 2


@pytest.mark.parametrize("service", NAMES)
async def test_a_client_without_tls_or_with_another_authority_is_refused(
    running: System, tmp_path: Path, service: str
) -> None:
    url = running.url(service)
    other = ssl.create_default_context(cafile=str(Certificates(tmp_path).authority))
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get(url + LIVE, ssl=other)
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(url.replace("https:", "http:") + LIVE)
        async with session.get(url + LIVE, ssl=running.tls) as response:
            assert response.status == 200
        async with session.get(running.operations_url(service) + LIVE) as response:
            assert response.status == 200, "the port of operations has no TLS"


async def test_a_service_trusts_no_other_name_and_no_other_authority(
    running: System, tmp_path: Path
) -> None:
    settings = running.settings(Settings)
    urls = {name: url.replace("127.0.0.1", "localhost") for name, url in settings.urls.items()}
    another = str(Certificates(tmp_path).authority)
    for change in ({"urls": urls}, {"tls_ca_file": another}):
        owners = Owners(settings.model_copy(update=change), "gateway")
        with pytest.raises(OwnerAway) as away:
            await owners.get("events", "/v1/activities", token="t")
        assert isinstance(away.value.__cause__, aiohttp.ClientConnectorCertificateError)
        await owners.close()


async def test_a_renewed_certificate_is_shown_without_a_restart(
    running: System, certificates: Certificates
) -> None:
    process = running.process("events").pid

    async def shown() -> str:
        host, port = running.url("events").removeprefix("https://").split(":")
        context = running.tls
        assert isinstance(context, ssl.SSLContext)
        _, writer = await asyncio.open_connection(host, port, ssl=context)
        certificate = writer.get_extra_info("peercert")
        writer.close()
        return str(certificate["serialNumber"])

    former = await shown()
    certificates.replace("events")

    async def renewed() -> bool:
        return await shown() != former

    await until(renewed)
    assert running.process("events").pid == process


def test_commands_check_the_services_with_the_authority_alone(running: System) -> None:
    ran = run(["doctor", "--json"], {**os.environ, **running.environment})
    found = {one["check"]: one for one in ran.json()["findings"]}
    assert found["services"]["level"] == "ok", found["services"]


def test_a_service_with_the_authority_alone_does_not_start(running: System) -> None:
    ran = run(["serve", "events"], {**os.environ, **running.environment})
    assert ran.code == 1
    assert "needs CARREL_TLS_CERTIFICATE_FILE, CARREL_TLS_KEY_FILE" in ran.err


async def test_the_cost_of_a_call_is_printed(running: System, library: Library) -> None:
    """A call with TLS and one without, in turns: of the port of operations, which has none."""
    seconds: dict[str, list[float]] = {"https": [], "http": []}
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=running.tls)) as session:
        for _ in range(CALLS * 5):
            for url in (running.url("events"), running.operations_url("events")):
                began = time.perf_counter()
                async with session.get(url + LIVE) as response:
                    await response.read()
                seconds[url.partition(":")[0]].append(time.perf_counter() - began)
    cost = {scheme: median(found) for scheme, found in seconds.items()}
    print(f"a call with TLS takes {cost['https'] / cost['http']:.2f} of one without")  # noqa: T201 - as above
