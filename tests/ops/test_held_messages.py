"""A message that blocks its partition is named, and an operator can make it a dead letter."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fastapi import FastAPI

from ops.broker.dead_letters import Filter, find_dead_letters
from ops.commands.doctor import examine
from services.registry import NAMES
from services.settings import Settings
from shared.bus import held
from shared.bus.listener import Listener
from shared.bus.retry import DEFAULT, RetryPolicy
from shared.bus.subscriptions import Subscriptions
from shared.bus.topics import ensure_topics
from shared.contracts.suspensions import FinesSuspended
from shared.http.app import create_service_app
from shared.http.service import Service
from shared.owners import OwnerAway, OwnerBehind, OwnerRefused, Owners
from shared.unit_of_work import Run, UnitOfWork
from tests.ops.command import carrel
from tests.shared.test_bus import GOOD_HEADERS, send
from tests.shared.things import Thing, event_of
from tests.support import patient_client, served, until


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database, kafka=kafka, partitions=1)


class Consumer:
    """A consumer of notices whose owner does not answer for the thing `bad`."""

    def __init__(
        self, failure: Exception, retry: RetryPolicy = DEFAULT, failures: int = sys.maxsize
    ) -> None:
        self.received: list[str] = []
        self._failure = failure
        self._left = failures
        self._retry = retry

    @property
    def subscriptions(self) -> Subscriptions:
        subscriptions = Subscriptions()

        @subscriptions.to(FinesSuspended, retry=self._retry)
        async def note(event: FinesSuspended, _: Run) -> None:
            if event.suspension_id == "bad" and self._left:
                self._left -= 1
                raise self._failure
            self.received.append(event.suspension_id)

        return subscriptions

    def create_app(self, settings: Settings) -> FastAPI:
        """Create a service with this consumer."""
        service = Service(
            name="notices", title="N", routers=(), indexes={}, subscriptions=self.subscriptions
        )
        return create_service_app(service, settings)

    @contextlib.asynccontextmanager
    async def listening(self, settings: Settings) -> AsyncIterator[Listener]:
        client = patient_client(settings.mongo_url)
        store = client[f"{settings.database_prefix}_notices"]
        owners = Owners(settings, "notices")
        listener = Listener(
            "notices", settings, self.subscriptions, UnitOfWork(store, "notices", settings, owners)
        )
        task = asyncio.create_task(listener.run())
        try:
            yield listener
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            client.close()


async def publish(settings: Settings, *ids: str) -> None:
    await ensure_topics(settings, NAMES)
    for number, each in enumerate(ids):
        headers = {**GOOD_HEADERS, "ce_id": f"e-{number}".encode()}
        await send(settings, "fines.suspended", event_of(Thing(each, 1, 1)).body(), **headers)


async def test_a_message_that_an_owner_refuses_becomes_a_dead_letter_and_the_partition_continues(
    settings: Settings,
) -> None:
    await publish(settings, "bad", "good")
    consumer = Consumer(OwnerRefused("circulation", 422))

    async def received() -> bool:
        return consumer.received == ["good"]

    async with consumer.listening(settings):
        await until(received, within=60)
    [dead_letter] = await find_dead_letters(settings, Filter(["notices"]))
    assert (dead_letter.error, dead_letter.tries) == ("refused: circulation-answers-422", "3")


async def test_a_message_that_is_newer_than_what_its_owner_has_is_set_aside_after_some_seconds(
    settings: Settings,
) -> None:
    await publish(settings, "bad", "good")
    consumer = Consumer(OwnerBehind("accounts"), RetryPolicy(behind_for=0.3))

    async def received() -> bool:
        return consumer.received == ["good"]

    async with consumer.listening(settings):
        await until(received, within=60)
    [dead_letter] = await find_dead_letters(settings, Filter(["notices"]))
    assert dead_letter.error == "refused: accounts-is-behind"
    assert int(dead_letter.tries) > 1


async def test_a_message_whose_owner_is_late_is_processed_in_its_place(settings: Settings) -> None:
    await publish(settings, "bad", "good")
    consumer = Consumer(OwnerBehind("accounts"), failures=2)

    async def received() -> bool:
        return consumer.received == ["bad", "good"]

    async with consumer.listening(settings):
        await until(received, within=60)
    assert await find_dead_letters(settings, Filter(["notices"])) == []


async def test_a_message_that_waits_is_named_at_once(settings: Settings) -> None:
    await publish(settings, "bad", "good")
    consumer = Consumer(OwnerAway("circulation"))
    async with consumer.listening(settings):

        async def named() -> Any:
            found = json.loads((await carrel(settings, "lag", "--json")).out)["held"]
            return found and (found[0]["service"], found[0]["topic"], found[0]["offset"])

        assert await until(named, within=60) == ("notices", "fines.suspended", 0)
        [finding] = [f for f in await examine(settings) if f.check == "held messages"]
        assert finding.found.startswith("notices: fines.suspended/0/0 has held its partition for")
        assert finding.found.endswith(" s (shared.owners.OwnerAway)")


async def test_a_command_makes_a_message_that_waits_a_dead_letter(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "HELD_SECONDS", 0)
    await publish(settings, "bad", "good")
    consumer = Consumer(OwnerAway("circulation"), RetryPolicy(patience=0.2))
    async with consumer.listening(settings) as listener:

        async def named() -> bool:
            return [message.place for message in listener.held()] == ["fines.suspended/0/0"]

        await until(named, within=60)
        [finding] = [f for f in await examine(settings) if f.check == "held messages"]
        assert finding.found.startswith("notices: fines.suspended/0/0 has held its partition")
        assert finding.remedy.endswith("carrel dead-letters add notices fines.suspended/0/0")

        ran = await carrel(settings, "dead-letters", "add", "notices", "fines.suspended/0/0")
        assert ran.code == 0, ran.err

        async def goes_on() -> bool:
            return consumer.received == ["good"] and not listener.held()

        await until(goes_on, within=60)
    [dead_letter] = await find_dead_letters(settings, Filter(["notices"]))
    assert dead_letter.error == "refused: operator-decision"
    [finding] = [f for f in await examine(settings) if f.check == "held messages"]
    assert finding.level == "ok"


async def test_readiness_and_a_metric_name_a_message_that_waits_for_minutes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "HELD_SECONDS", 0)
    await publish(settings, "bad")
    consumer = Consumer(OwnerAway("circulation"), RetryPolicy(patience=0.2))
    working = settings.model_copy(update={"roles": ("api", "consumers")})
    async with served(consumer.create_app, working) as api:

        async def named() -> dict[str, Any] | None:
            ready: dict[str, Any] = (await api.operations("/health/ready")).json()
            return ready if "held" in ready["checks"] else None

        ready = await until(named, within=60)
        assert ready["status"] == "degraded"
        assert ready["checks"]["held"].startswith("fines.suspended/0/0 has held its partition")
        metrics = (await api.operations("/metrics")).body.decode()
        assert 'carrel_message_held_seconds{topic="fines.suspended"}' in metrics
