"""Commands succeed while the broker is away; their events are sent once it is back."""

import asyncio
import time

import pytest

from ops.audit.system import audit
from ops.infrastructure.processes import System
from services.settings import Settings
from tests.faults.report import record
from tests.library import Library

pytestmark = pytest.mark.embedded  # test_broker.py stops Apache Kafka under load


async def test_commands_succeed_without_the_broker_and_events_follow(
    running: System, library: Library
) -> None:
    broker = running.infrastructure.broker
    assert broker is not None
    branch = await library.branch()
    card = await library.patron(branch)
    first, second = await library.copies(branch, 2)
    await library.flow.settle()
    await library.get(
        "/v1/me", by=card
    )  # a new gateway has built its views, for which it reads topics

    await asyncio.to_thread(broker.stop)
    try:
        [loan] = await library.lend(card, [first], branch)
        library.now = "2020-11-03T10:00:00+08:00"
        renewal = f"/v1/loans/{loan['id']}/renewals"
        status, _ = await library.try_("POST", renewal, by=card, key="one")
        seen = await library.get("/v1/me", by=card)
        await library.lend(card, [second], branch)
        waiting = await library.flow.pending()
    finally:
        await asyncio.to_thread(broker.start)
    assert status == 200
    assert [shown["id"] for shown in seen["loans"]] == [loan["id"]]
    assert seen["loans"][0]["renewals_left"] == 4
    assert waiting == ["outbox of circulation"]

    back = time.monotonic()
    await library.flow.settle(within=30)
    settled_after = time.monotonic() - back
    found = await audit(running.settings(Settings))
    record(
        "broker stopped, and started again",
        running,
        invariant="commands succeed without it; their events follow",
        found=found,
        recovery=settled_after,
    )
    assert found.findings == []
