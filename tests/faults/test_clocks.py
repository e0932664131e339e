"""A service whose clock is a day off refuses its callers, says why, and loses nothing.

The wrong time comes from libfaketime (Debian: libfaketime), which is preloaded into one process.
"""

import asyncio
import contextlib
import json
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.settings import Settings
from tests import patience
from tests.faults.report import record
from tests.library import PIN, Library
from tests.support import until

FAKER = next(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where libfaketime has its files
pytestmark = [
    pytest.mark.embedded,
    pytest.mark.skipif(FAKER is None, reason="libfaketime is missing (Debian: libfaketime)"),
]

LATEST_ANSWER = 60
"""Seconds that the database may take to tell its time, of which the difference is less sure."""
DAYS = [pytest.param("+1d", id="a day ahead"), pytest.param("-1d", id="a day behind")]
AT_ITS_DOOR = {
    "accounts": ("GET", "/v1/patrons?card="),
    "circulation": ("GET", "/v1/loans?patron=nobody"),
    "gateway": ("GET", "/v1/me"),
}


def wrong(by: str) -> dict[str, str]:
    """Return the environment of a process whose clock is off by `by`; its timers stay right."""
    return {"LD_PRELOAD": str(FAKER), "FAKETIME": by, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def delete_shared_memory(pid: int | None) -> None:
    """Delete the files that libfaketime leaves of a process that has ended."""
    for name in (f"faketime_shm_{pid}", f"sem.faketime_sem_{pid}"):
        (SHARED_MEMORY / name).unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def wrong_clock(system: System, service: str, by: str) -> AsyncIterator[None]:
    """Run the service with the wrong time during the block, and with the right time afterwards."""
    process = system.process(service)
    right = process.environment
    await asyncio.to_thread(process.stop)
    process.environment = {**right, **wrong(by)}
    try:
        await asyncio.to_thread(process.launch)
        await until(lambda: listens(system, service), within=60)
        yield
    finally:
        pid = process.pid
        process.environment = right
        await asyncio.to_thread(process.stop)
        delete_shared_memory(pid)
        await asyncio.to_thread(process.start)


async def readiness(system: System, service: str) -> tuple[int, Any]:
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{system.operations_url(service)}/health/ready") as answer,
    ):
        return answer.status, await answer.json()


async def listens(system: System, service: str) -> bool:
    """Return whether the process's database and consumer work, whatever its clock."""
    try:
        _, report = await readiness(system, service)
    except aiohttp.ClientError:
        return False
    checks = report["checks"]
    return checks["database"] == "ok" and checks["consumer"] in ("listening", "none")


@pytest.mark.parametrize(
    ("service", "by"), [("accounts", "-1d"), ("circulation", "+1d"), ("gateway", "-1d")]
)
async def test_a_service_whose_clock_is_a_day_off_refuses_and_says_why_and_loses_nothing(
    running: System, library: Library, service: str, by: str
) -> None:
    branch = await library.branch()
    card = await library.patron(branch)
    [barcode] = await library.copies(branch, 1)
    await library.flow.settle(within=60)
    [loan] = await library.lend(card, [barcode], branch)

    async with wrong_clock(running, service, by):
        status, report = await readiness(running, service)
        method, path = AT_ITS_DOOR[service]
        refused, problem = await library.try_(
            method, path, by=card if path == "/v1/me" else "staff"
        )
        # It processes the events of other services meanwhile, and publishes the results.
        closure = {"branches": [branch], "from": loan["due_on"], "reason": "Typhoon"}
        closed = await library.post("/v1/closures", closure, by="staff")
        reopening = {"reopened_on": "2021-02-19", "services": ["lending"]}
        await library.post(f"/v1/closures/{closed['id']}/reopening", reopening, by="staff")
        await library.flow.settle(within=60)

    await library.flow.settle(within=60)
    answer = await library.get("/v1/me", by=card)
    found = await audit(running.settings(Settings))
    record(
        "clock of one service a day off",
        running,
        invariant="it answers 401 and is unready, and says why; its events flow",
        found=found,
    )
    assert status == 503
    told = re.fullmatch(r"(\d+) s (ahead of|behind) the database's", report["checks"]["clock"])
    assert told is not None, report
    assert told[2] == {"+": "ahead of", "-": "behind"}[by[0]]
    assert abs(int(told[1]) - 86400) <= LATEST_ANSWER
    assert (refused, problem["code"]) == (401, "unauthenticated")
    assert [shown["due_on"] for shown in answer["loans"]] == ["2021-02-19"]
    assert found.findings == []


@pytest.mark.parametrize("by", DAYS)
async def test_tokens_of_accounts_with_a_wrong_clock_are_refused_by_the_others(
    running: System, library: Library, by: str
) -> None:
    card = await library.patron(await library.branch())
    async with wrong_clock(running, "accounts", by):
        credentials = {"card_number": card, "pin": PIN}
        session = await library.call("POST", "/v1/sessions", credentials)
        before = library.tokens[card]
        library.tokens[card] = session["access_token"]
        refused, _ = await library.try_("GET", "/v1/me", by=card)
        library.tokens[card] = before
        accepted, _ = await library.try_("GET", "/v1/me", by=card)
    assert refused == 401
    assert accepted == 200


@pytest.mark.parametrize("by", DAYS)
async def test_the_doctor_reports_a_wrong_clock(running: System, by: str) -> None:
    doctor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "ops", "doctor", "--json"),
        env={**os.environ, **running.environment, **wrong(by)},
        stdout=subprocess.PIPE,
    )
    async with patience.within(240):
        report, _ = await doctor.communicate()
    delete_shared_memory(doctor.pid)
    [clocks] = [f for f in json.loads(report)["findings"] if f["check"] == "clocks"]
    assert clocks["level"] == "warn"
    difference = float(clocks["found"].partition(" ")[0])
    assert abs(difference - 86400) <= LATEST_ANSWER
