"""Rebuilt views and topics: ended items stay ended, and faulty messages stop nothing."""

import contextlib
import secrets
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from importlib import import_module
from typing import Any
from uuid import UUID

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ops.broker.dead_letters import Filter, find_dead_letters
from services.gateway.app import create_app
from services.gateway.consumers import subscriptions
from services.gateway.settings import Settings
from services.gateway.views.open_items import open_holds, open_loans
from services.gateway.views.rebuild import rebuild
from services.gateway.views.store import builds, reads, writes
from services.gateway.views.store.schema import FORM, WHOLE, Change, Collections, ViewChange
from services.registry import NAMES, OWNERS
from shared.bus.topics import ensure_topics
from shared.clock import wall_clock
from shared.contracts import Event, circulation, notices
from shared.mongo import Database
from shared.owners import Owners
from tests import samples
from tests.gateway.readiness import readiness
from tests.support import (
    PUBLIC_SERVICE_KEYS,
    SERVICE_KEYS,
    patient_client,
    reaching,
    served,
    token,
    until,
)
from tests.warm import nobody


@pytest.fixture
async def settings(mongo_url: str, database: str, kafka: str) -> AsyncIterator[Settings]:
    """Settings of a gateway whose owners answer that they have no data."""
    settings = Settings(
        mongo_url=mongo_url,
        database_prefix=database,
        kafka=kafka,
        partitions=1,
        roles=("api",),
        service_secret="a secret of these tests",
        service_key=SERVICE_KEYS["gateway"],
    )
    urls: dict[str, str] = {}
    async with contextlib.AsyncExitStack() as stack:
        for service in OWNERS:
            kind = import_module(f"services.{service}.settings").Settings
            create = import_module(f"services.{service}.app").create_app
            told = kind(**reaching(settings, **urls).model_dump(), service_keys=PUBLIC_SERVICE_KEYS)
            api = await stack.enter_async_context(served(create, told, trust_test_keys=False))
            urls[service] = api.url
        settings = reaching(settings, **urls)
        await ensure_topics(settings, NAMES)
        yield settings


@pytest.fixture
async def views(settings: Settings) -> AsyncIterator[Database]:
    client = patient_client(settings.mongo_url)
    yield client[f"{settings.database_prefix}_gateway"]
    client.close()


async def publish(
    settings: Settings, recorded_at: datetime, *events: Event | tuple[str, bytes], time: str = ""
) -> list[ConsumerRecord[bytes, bytes]]:
    """Publish events as recorded at a time; return the messages as a consumer reads them."""
    stamp = int(recorded_at.timestamp() * 1000)
    told = [event if isinstance(event, tuple) else (event.topic, event.body()) for event in events]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka)
    await producer.start()
    await consumer.start()
    try:
        records = []
        for topic, body in told:
            event_id = UUID(int=stamp << 80 | 7 << 76 | 2 << 62 | secrets.randbits(62))
            headers = [
                ("ce_id", str(event_id).encode()),
                ("ce_time", (time or recorded_at.isoformat()).encode()),
            ]
            sent = await producer.send_and_wait(
                topic, body, key=b"patron-1", headers=headers, timestamp_ms=stamp
            )
            at = TopicPartition(topic, sent.partition)
            consumer.assign([at])
            consumer.seek(at, sent.offset)
            records.append(await consumer.getone())
        return records
    finally:
        await consumer.stop()
        await producer.stop()


async def commit(settings: Settings, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
    """Commit the offsets after these messages for the gateway's consumer group."""
    consumer = AIOKafkaConsumer(bootstrap_servers=settings.kafka, group_id="gateway")
    await consumer.start()
    try:
        partitions = {TopicPartition(r.topic, r.partition): r.offset + 1 for r in records}
        consumer.assign(list(partitions))
        await consumer.commit(partitions)
    finally:
        await consumer.stop()


async def built(settings: Settings, views: Database) -> None:
    owners = Owners(settings, "gateway")
    try:
        await rebuild(views, settings, owners, subscriptions)
    finally:
        await owners.close()


@pytest.mark.parametrize("ago", [timedelta(hours=1), timedelta(seconds=5)])
async def test_a_rebuild_with_a_lagging_partition_does_not_restore_ended_items(
    settings: Settings, views: Database, ago: timedelta
) -> None:
    then = wall_clock() - ago
    began = await publish(
        settings,
        then,
        samples.loan(circulation.LoanCheckedOut, 1),
        samples.hold(circulation.HoldPlaced, 1),
    )
    ended = await publish(
        settings,
        then,
        samples.returned(2),
        samples.hold(circulation.HoldCancelled, 2, state="cancelled"),
    )
    await commit(settings, ended)  # the events before them have not been read yet

    await built(settings, views)
    await nothing_is_open(views)
    # The consumers process them after the build, perhaps more than once.
    for _ in range(2):
        await writes.apply(
            views, [change for record in began for change in subscriptions.changes(record)]
        )
        await nothing_is_open(views)


async def nothing_is_open(views: Database) -> None:
    view, _ = await reads.account_view(views, "patron-1")
    assert open_loans(view) == {}
    assert open_holds(view) == {}
    assert await views.queues.count_documents({"waiting": True}) == 0


async def test_an_event_published_during_a_rebuild_is_shown(
    settings: Settings, views: Database
) -> None:
    await built(settings, views)
    lent = await publish(settings, wall_clock(), samples.loan(circulation.LoanCheckedOut, 1))
    await writes.apply(
        views, [change for record in lent for change in subscriptions.changes(record)]
    )
    view, _ = await reads.account_view(views, "patron-1")
    assert list(open_loans(view)) == ["loan-1"]


NO_ANNOUNCEMENT = (
    samples.branch(notices.BranchClosed, 2)
    .body()
    .replace(
        b'"closures":[]',
        b'"closures":[{"closure_id":"c","from":"2021-02-01","reason":"r","announcements":[],'
        b'"extra_renewals":1}]',
    )
)
TOO_MANY = samples.title(1, "T").body().replace(b'"version":1', b'"version":%d' % 2**63)


@pytest.mark.parametrize(
    ("message", "time"),
    [
        (samples.title(1, "T"), "0001-01-01T00:00:00+08:00"),
        (("branch.closed", NO_ANNOUNCEMENT), ""),
        (("title.catalogued", TOO_MANY), ""),
    ],
    ids=["a time before the calendar", "a closure that was never announced", "a huge version"],
)
async def test_a_faulty_message_does_not_stop_a_rebuild_and_becomes_one_dead_letter(
    settings: Settings, views: Database, message: Event | tuple[str, bytes], time: str
) -> None:
    await publish(settings, wall_clock(), message, time=time)
    await publish(settings, wall_clock(), samples.loan(circulation.LoanCheckedOut, 1))
    all_roles = settings.model_copy(update={"roles": ("api", "consumers", "relay", "jobs")})
    async with served(create_app, all_roles) as api:

        async def whole() -> bool:
            found = await views.account_views.find_one({"_id": WHOLE})
            return found is not None and bool(found.get("since"))

        await until(whole, within=60)

        async def has_dead_letter() -> bool:
            return len(await find_dead_letters(settings, Filter(["gateway"]))) == 1

        await until(has_dead_letter, within=60)

        async def shown() -> bool:
            view, _ = await reads.account_view(views, "patron-1")
            return list(open_loans(view)) == ["loan-1"]

        await until(shown, within=60)
        _, ready = await readiness(api)
        assert "tasks" not in ready["checks"]


async def test_a_message_that_fails_only_when_it_is_written_stops_no_rebuild(
    settings: Settings, views: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply = writes.apply

    async def refuse(into: Collections, changes: Sequence[Change]) -> None:
        if any(isinstance(each, ViewChange) and each.path == "loans.bad" for each in changes):
            raise TypeError("a value that no database holds")
        await apply(into, changes)

    monkeypatch.setattr(writes, "apply", refuse)
    lent = circulation.LoanCheckedOut
    await publish(settings, wall_clock(), samples.loan(lent, 1, "bad"), samples.loan(lent, 1))
    await built(settings, views)
    view, _ = await reads.account_view(views, "patron-1")
    assert list(open_loans(view)) == ["loan-1"]


async def test_a_gateway_is_ready_once_its_views_are_whole_even_without_owners(
    settings: Settings, views: Database
) -> None:
    working = settings.model_copy(update={"roles": ("api", "consumers")})
    lonely = reaching(working, events=nobody())

    async with served(create_app, lonely) as api:
        status, ready = await readiness(api)
        assert (status, ready["status"]) == (503, "unready")
        assert ready["checks"]["views"] == "being built"
        assert (await api.get("/v1/me", as_=token())).status == 503

    async with served(create_app, working) as api:

        async def says_ready() -> bool:
            return (await readiness(api))[0] == 200

        await until(says_ready, within=60)
        assert await builds.form(views) == FORM
        assert (await api.insist("GET", "/v1/me", as_=token())).status == 200

    away = reaching(lonely, **{service: nobody() for service in OWNERS})
    async with served(create_app, away) as api:
        status, ready = await readiness(api)
        assert (status, ready["checks"]["views"]) == (200, "ok")

        await views.account_views.delete_one({"_id": WHOLE})
        status, lost = await readiness(api)
        assert (status, lost["status"]) == (200, "degraded")
        assert lost["checks"]["views"] == "being built"


async def test_topics_created_while_a_rebuild_begins_are_learned_all_at_once(
    settings: Settings,
    views: Database,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    prefixed = settings.model_copy(update={"topic_prefix": f"{settings.database_prefix}-late."})
    describe = AIOKafkaAdminClient.describe_topics

    async def described(admin: AIOKafkaAdminClient) -> list[dict[str, Any]]:
        await ensure_topics(prefixed, NAMES)
        return list(await describe(admin))

    monkeypatch.setattr(AIOKafkaAdminClient, "describe_topics", described)
    with caplog.at_level("DEBUG", "aiokafka.consumer.fetcher"):
        await built(prefixed, views)
    assert await builds.form(views) == FORM
    assert "is unknown for fetching offset" not in caplog.text
