"""Every message arrives three times, in any order, in the running system: nothing changes."""

import asyncio
import random
from datetime import date
from typing import Any

from aiokafka import AIOKafkaProducer

from ops.broker.offsets import Positions
from ops.infrastructure.processes import System
from services.gateway.views.store.schema import WHOLE
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.contracts import published
from tests.faults.load import Load
from tests.faults.report import record
from tests.faults.test_kills import day_at_the_library
from tests.library import Library
from tests.support import patient_client

SEED = 20210219


async def test_every_message_three_times_in_any_order_changes_nothing(
    running: System, library: Library
) -> None:
    settings = running.settings(Settings)
    for month in (11, 12):
        await day_at_the_library(library, date(2020, month, 2))
    await library.flow.settle(within=60)
    before = await published_state(settings)
    async with Load(library) as load:
        again = await publish_twice_more(settings)
    found = await load.audited()
    after = await published_state(settings)
    record(
        "every message twice more, shuffled within its partition, under load",
        running,
        invariant="nothing that was there changes: no view, no notification, no loan",
        found=found,
        counts={"messages": again},
    )
    load.check_answers()
    assert again > 100
    assert found.findings == []
    assert {key: after.get(key) for key in before} == before


async def publish_twice_more(settings: Settings) -> int:
    """Publish all messages twice more, in random order; return their number."""
    order = random.Random(SEED)  # noqa: S311 - no secret
    producer = AIOKafkaProducer(**client_arguments(settings), acks="all", enable_idempotence=True)
    await producer.start()
    try:
        async with Positions(settings) as positions:
            records = [
                record for topic in published() async for record in positions.records(topic)
            ] * 2
        order.shuffle(records)
        sent = [
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                headers=list(record.headers),
                timestamp_ms=record.timestamp,
            )
            for record in records
        ]
        await asyncio.gather(*sent)
    finally:
        await producer.stop()
    return len(records)


async def published_state(settings: Settings) -> dict[tuple[str, str, Any], Any]:
    """Return the state that consumers keep: views, notifications, registrations, loans and so on.

    The stamp of the shared view is left out: it is renewed even if nothing changed, since the
    process that wrote a change may have been killed before it wrote the stamp.
    """
    client = patient_client(settings.mongo_url)
    try:
        found = {
            (service, collection, document["_id"]): document
            for service, collections in (
                ("gateway", ("account_views", "titles", "branches", "activities", "notices")),
                ("notices", ("notifications",)),
                ("events", ("registrations", "places")),
                ("circulation", ("loans", "charges", "patrons", "calendars")),
            )
            for collection in collections
            async for document in client[f"{settings.database_prefix}_{service}"][collection].find()
        }
    finally:
        client.close()
    del found["gateway", "account_views", WHOLE]["stamp"]
    return found
