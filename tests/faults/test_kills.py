"""kill -9 between any two steps: after a restart nothing is lost and nothing is doubled.

A failpoint kills a process at a named step while a library goes about its day. The process is
started again, the callers try again with their keys, and in the end an audit compares every
database, topic and view. A test fails as well if the failpoint was never reached.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import date, timedelta

import pytest

from ops.audit import audit
from ops.processes import System
from shared.settings import Settings
from tests.library import Library

WORK = ("work.before-commit", "work.after-commit")
RELAY = ("relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked")
LISTENER = ("listener.received", "listener.taken-in", "listener.committed")

KILLS = [
    *((service, point) for service in ("accounts", "events") for point in (*WORK, *RELAY)),
    *(
        (service, point)
        for service in ("circulation", "notices")
        for point in (*WORK, *RELAY, *LISTENER)
    ),
    *(("gateway", point) for point in LISTENER),
]


@contextlib.asynccontextmanager
async def doomed(system: System, service: str, point: str) -> AsyncIterator[asyncio.Task[int]]:
    """The service dies at its second pass of `point`, and is started again at once.

    Gives the task that waits for its death, for the exit code.
    """
    process = system.process(service)
    healthy = process.environment
    await asyncio.to_thread(process.stop)
    process.environment = {**(healthy or {}), "CARREL_FAILPOINT": f"{point}:2"}
    await asyncio.to_thread(process.launch)

    async def start_again() -> int:
        try:
            return await asyncio.to_thread(process.wait, 90)
        finally:
            process.environment = healthy
            await asyncio.to_thread(process.stop)
            await asyncio.to_thread(process.start)

    death = asyncio.create_task(start_again())
    try:
        yield death
    finally:
        await death


async def day_at_the_library(library: Library, first: date) -> None:
    """Something of everything: patrons, loans, a closure, moved dates, fines, news."""

    def on(days: int) -> None:
        library.now = f"{first + timedelta(days=days)}T10:00:00+08:00"

    on(0)
    branch = await library.branch()
    await library.flow.settle(within=60)  # circulation lends where it has heard of the branch
    late, early = [await library.patron(branch) for _ in range(2)]
    books = await library.copies(branch, 4)
    preferences = {"followed_branches": [branch], "activity_types": ["talk"]}
    await library.call("PATCH", "/v1/me/preferences", preferences, by=early)
    talk = {
        "title": "A talk",
        "type": "talk",
        "venue": "Hall",
        "organiser": "The library",
        "starts_at": library.now,
        "recording": {"url": "https://recordings.example/1", "available_from": library.now},
    }
    await library.post("/v1/activities", talk, by="staff")
    await library.job("events/releases")
    await library.lend(late, books[:2], branch)
    [kept] = await library.lend(early, books[2:3], branch)

    on(13)
    closure = {"branches": [branch], "from": str(first + timedelta(days=14)), "reason": "Typhoon"}
    closed = await library.post("/v1/closures", closure, by="staff")
    reopening = {"reopened_on": str(first + timedelta(days=16)), "services": ["lending"]}
    await library.post(f"/v1/closures/{closed['id']}/reopening", reopening, by="staff")

    on(16)
    await library.flow.settle(within=60)
    await library.post(f"/v1/loans/{kept['id']}/renewals", by=early)
    on(20)
    await library.job("circulation/overdue")
    for result in await library.take_back(books[:2], branch):
        assert result["charge"]["amount_cents"] == 600, result  # due on day 16, four days late


@pytest.mark.parametrize(("service", "point"), KILLS)
async def test_nothing_is_lost_or_doubled(
    running: System, library: Library, service: str, point: str
) -> None:
    async with doomed(running, service, point) as death:
        for day in range(3):  # events that go out together pass a step of the relay once
            await day_at_the_library(library, date(2020, 11, 2) + timedelta(days=30 * day))
            if death.done():
                break
    assert death.result() == -9, f"{service} never came to {point}"
    await library.flow.settle(within=60)

    found = await audit(running.settings(Settings))
    assert found.findings == []
    assert found.counts["open loans"] > 0
    assert found.counts["fines"] > 0
    assert found.counts["notifications"] > 0
