"""The rules and the dashboards on a real Prometheus that watches a running system."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from ops.infrastructure import ports
from ops.infrastructure.processes import System
from services.registry import NAMES
from services.settings import Settings
from tests import patience
from tests.library import Library
from tests.ops.command import carrel
from tests.poison import POISONS, send_all
from tests.support import until
from tests.systems import PROJECT, started_system

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(
        not shutil.which("prometheus"),
        reason="prometheus is missing (on Debian: apt install prometheus)",
    ),
]
RULES = PROJECT / "deploy" / "prometheus" / "rules.yml"
SYNTHETIC = "/v1/ops/jobs/gateway/synthetic-patron"
BUILDER = PROJECT / ".venv" / "deploy" / "bin" / "python"
WINDOWS = {
    "5m": "5s",
    "10m": "15s",
    "15m": "15s",
    "30m": "10s",
    "1h": "15s",
    "6h": "30s",
    "3d": "60s",
}
"""Windows of the rules, and those in this test. That of CarrelJobStands stays as it is."""


def quick(rules: str) -> str:
    """Return the rules with short windows, which fire after a second."""
    for long, short in WINDOWS.items():
        rules = rules.replace(f"[{long}]", f"[{short}]")
    return re.sub(r"\bfor: (?!75m)\w+", "for: 1s", rules)


@dataclass
class Prometheus:
    """A running Prometheus."""

    url: str
    session: aiohttp.ClientSession

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression has now."""
        async with self.session.get(
            f"{self.url}/api/v1/query", params={"query": expression}
        ) as answer:
            document = await answer.json()
        assert document["status"] == "success", (expression, document)
        found: list[dict[str, Any]] = document["data"]["result"]
        return found

    async def firing(self) -> set[str]:
        """Return the names of the alerts that fire."""
        found = await self.query('ALERTS{alertstate="firing"}')
        return {series["metric"]["alertname"] for series in found}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    nobody = {"gateway": {"CARREL_SYNTHETIC_PATRON": "NOBODY:nothing"}}
    with started_system(tmp_path_factory, environment=nobody) as started:
        yield started


@pytest.fixture(scope="module")
def address(running: System, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a Prometheus with our rules, which scrapes each second."""
    folder, port = tmp_path_factory.mktemp("prometheus"), ports.reserve(None)
    (folder / "rules.yml").write_text(quick(RULES.read_text()))
    targets = {name: running.operations_url(name).removeprefix("http://") for name in NAMES}
    scraping = [
        {"job_name": name, "static_configs": [{"targets": [target]}]}
        for name, target in targets.items()
    ]
    every = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration = {"global": every, "rule_files": ["rules.yml"], "scrape_configs": scraping}
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    command = [
        *("prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=data"),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(patience.stretched(20))


@pytest.fixture
async def prometheus(address: str) -> AsyncIterator[Prometheus]:
    async with aiohttp.ClientSession() as session:
        found = Prometheus(address, session)

        async def is_up() -> bool:
            try:
                return len(await found.query("up == 1")) == len(NAMES)
            except (aiohttp.ClientError, ConnectionError):
                return False

        await until(is_up, within=30)
        yield found


@pytest.fixture
async def library(running: System) -> AsyncIterator[Library]:
    async with Library(running) as found:
        yield found


def dashboards(folder: Path) -> dict[str, Any]:
    """Return the dashboards by name."""
    script = PROJECT / "deploy" / "grafana" / "dashboards.py"
    subprocess.run([BUILDER, script, folder], check=True, capture_output=True)
    return {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}


async def a_day(library: Library) -> None:
    """Lend, return late and pay; look at the account, and be refused."""
    library.now = "2020-11-02T10:00:00+08:00"
    branch = await library.branch()
    await library.flow.settle(within=60)
    card = await library.patron(branch)
    [loan, _] = await library.lend(card, await library.copies(branch, 2), branch)
    library.now = "2020-11-26T10:00:00+08:00"
    await library.job("circulation/overdue")
    await library.take_back([loan["barcode"]], branch)
    await library.flow.settle(within=60)
    owing = [charge["id"] for charge in (await library.get("/v1/me/charges", by=card))["items"]]
    await library.post("/v1/payments", {"charge_ids": owing}, by=card)
    assert await library.try_("POST", "/v1/payments", {"charge_ids": owing}, by=card)
    await library.get("/v1/me", by=card)
    async with aiohttp.ClientSession() as session:
        await session.get(library.system.gateway_url)
    await library.flow.settle(within=60)


async def test_each_query_of_the_dashboards_finds_what_it_shows(
    running: System, library: Library, prometheus: Prometheus, tmp_path: Path
) -> None:
    boards = dashboards(tmp_path)
    assert sorted(boards) == ["events", "money", "patrons", "service"]
    queries = [
        target["expr"].replace("$service", "gateway").replace("$__rate_interval", "20s")
        for board in boards.values()
        for panel in board["panels"]
        for target in panel["targets"]
    ]
    assert len(queries) > 50
    await a_day(library)
    settings = running.settings(Settings)
    audited = await carrel(settings, "audit", **running.environment)
    assert audited.code == 0, audited.out
    await a_day(library)  # rates need two samples
    assert (await library.try_("POST", SYNTHETIC, by="ops"))[0] == 503  # it is nobody's card

    async def all_found() -> bool:
        return not [query for query in queries if not await prometheus.query(query)]

    try:
        await until(all_found, within=20)
    except TimeoutError:
        empty = [query for query in queries if not await prometheus.query(query)]
        pytest.fail(f"without a result: {empty}")
    assert await prometheus.query("carrel_audit_findings == 0")
    # It has no synthetic patron, and nobody has taken a backup of it.
    assert not await prometheus.firing() - {"CarrelSyntheticPatron", "CarrelBackupMissing"}


async def keep_calling(library: Library) -> None:
    """Read and change activities until cancelled, whatever the answers."""
    while True:
        await library.try_("GET", "/v1/activities", by="staff")
        await library.try_("POST", "/v1/activities", {"title": "A talk"}, by="staff")
        await asyncio.sleep(0.1)


async def test_alerts_fire_on_the_running_system(
    running: System, library: Library, prometheus: Prometheus
) -> None:
    seen: set[str] = set()

    async def fired(*names: str) -> None:
        async def have() -> bool:
            seen.update(await prometheus.firing())
            return seen >= set(names)

        await until(have, within=60)

    assert (await library.try_("POST", SYNTHETIC, by="ops"))[0] == 503
    await send_all(running.settings(Settings), poisons=POISONS[:2])
    await fired("CarrelDeadLetters", "CarrelSyntheticPatron")
    events = running.process("events")
    events.suspend()  # it hangs: calls to it find no answer
    callers = [asyncio.create_task(keep_calling(library)) for _ in range(4)]
    try:
        await fired("CarrelCircuitOpen", "CarrelAway", "CarrelBudgetBurns")
    finally:
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        events.resume()
    events.kill()
    await fired("CarrelDown", "CarrelNobodyRelays")
    events.start()
