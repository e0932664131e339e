"""A service of which no process runs is an error of `carrel doctor`, `lag` and `status`."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient

from benchmarks.at_rest import every_process
from ops.broker.offsets import subscribed_topics
from ops.infrastructure.processes import System
from services.registry import NAMES
from services.settings import Settings
from shared.clock import wall_clock
from shared.processes import GONE_AFTER
from tests.ops.command import Ran, carrel
from tests.support import until


async def command(running: System, *arguments: str) -> Ran:
    return await carrel(running.settings(Settings), *arguments, **running.environment)


async def failed(running: System) -> dict[str, str]:
    """Return the failed checks of the doctor, with what it found."""
    ran = await command(running, "doctor", "--json")
    found = {f["check"]: f["found"] for f in ran.json()["findings"] if f["level"] == "fail"}
    assert ran.code == (1 if found else 0)
    return found


async def all_consume(running: System) -> bool:
    return (await command(running, "lag", "--json")).code == 0


@pytest.mark.parametrize("stopped", [["events"], ["notices"], ["events", "notices"]], ids=" ".join)
async def test_a_stopped_service_is_named_and_the_commands_exit_with_1(
    running: System, stopped: Sequence[str]
) -> None:
    await until(lambda: all_consume(running))
    assert await failed(running) == {}
    lag = (await command(running, "lag", "--json")).json()
    assert lag["members"] == dict.fromkeys(subscribed_topics(), 1)
    for service in stopped:
        await asyncio.to_thread(running.process(service).stop)
    try:
        found = await failed(running)
        assert found.keys() == {"services", "members"}
        for service in NAMES:
            assert (f"{service} at http" in found["services"]) == (service in stopped)
            assert (service in found["members"]) == (service in stopped)
        ran = await command(running, "lag")
        assert ran.code == 1
        for service in stopped:
            assert f"{service}: no process consumes." in ran.err
        status = await command(running, "status", "--json")
        assert status.code == 1
        assert status.json()["errors"] == [f"{service}: no process runs" for service in stopped]
        assert status.json()["warnings"] == []
    finally:
        for service in stopped:
            await asyncio.to_thread(running.process(service).start)


async def test_a_killed_process_is_shown_until_one_of_its_name_runs_again(running: System) -> None:
    await until(lambda: all_consume(running))
    events = running.process("events")
    await asyncio.to_thread(events.kill)
    with MongoClient[Any](running.settings(Settings).mongo_url) as client:
        # As if GONE_AFTER seconds had passed.
        earlier = wall_clock() - timedelta(seconds=GONE_AFTER + 5)
        processes = client["carrel_events"].processes
        assert processes.update_one({"_id": "0"}, {"$set": {"seen_at": earlier}}).matched_count
    try:
        status = (await command(running, "status", "--json")).json()
        assert status["errors"] == ["events: no process runs"]
        # Others may be degraded meanwhile, because they call events.
        gone = [text for text in status["warnings"] if "is gone" in text]
        assert len(gone) == 1, status["warnings"]
        assert gone[0].startswith("events/0 is gone: last seen 0:00:4")
        shown = await command(running, "status")
        assert "gone" in shown.out
        assert shown.code == 1
    finally:
        await asyncio.to_thread(events.start)

    async def is_well() -> bool:
        return (await command(running, "status", "--strict")).code == 0

    await until(is_well)
    [process] = (await command(running, "status", "--json")).json()["services"][2]["processes"]
    assert process["id"] == "0"
    assert process["status"] == "ready"
    assert process["roles"] == ["api", "consumers", "jobs", "relay"]


def test_the_benchmark_at_rest_counts_every_process_of_a_system(running: System) -> None:
    counted = every_process(running)
    assert counted.keys() == {
        *("mongod", "broker", "up", "guard", "prepared"),
        *(f"{service}-0" for service in NAMES),
    }
    assert len(set(counted.values())) == len(counted)
    parents = {pid: _parent_of(pid) for pid in counted.values()}
    assert parents[counted["events-0"]] == counted["prepared"]
    assert {parents[counted[name]] for name in ("guard", "prepared", "mongod")} == {counted["up"]}


def _parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
