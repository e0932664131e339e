"""The audit of events: outboxes agree with topics, and each resource's versions are complete."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import datetime

import orjson
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from ops.audit.findings import Audit
from ops.audit.lost_events import Lost
from services.registry import OWNERS
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.contracts import published, resource_of
from shared.mongo import Database, Document
from shared.names import Names

SOME_VERSIONS = {"occupancy", "season", "seat", "session"}
"""Kinds of resources of which not every version is published; of a session only its end is."""


async def check_events(
    result: Audit,
    stores: dict[str, Database],
    settings: Settings,
    since: datetime,
    lost: Sequence[Lost],
) -> dict[str, list[Document]]:
    """Compare outboxes with topics, and check the versions of each resource.

    Returns the events by topic. `lost` are events lost before a backup was restored: no outbox
    has them, and their versions are not used again.
    """
    relayed, result.aged = await _topics(settings, since)
    recorded: dict[str, list[Document]] = defaultdict(list)
    versions: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for service in OWNERS:
        async for row in stores[service].outbox.find({"recorded_at": {"$gte": since}}):
            topic = row["topic"]
            result.counts["events recorded"] += 1
            result.expect("pending" not in row, f"{topic} {row['_id']} was never published")
            result.expect(
                row["_id"] in relayed[topic], f"{topic} {row['_id']} is not on its topic", lost=1
            )
            body = orjson.loads(row["body"])
            recorded[topic].append({"event_id": row["_id"], **body})
            resource = (resource_of(topic), row["headers"]["ce_subject"])
            versions[resource][body["version"]] += 1
    known = {event["event_id"] for events in recorded.values() for event in events}
    known |= {event.event_id for event in lost}
    for event in lost:
        kind = resource_of(event.topic)
        if counted := versions.get((kind, event.subject)):
            # A notification's id derives from its event, so it may be made again after a restore.
            again = kind == "notification" and counted[event.version]
            counted[event.version] += 0 if again else 1
    result.counts["events lost before a restore"] = len(lost)
    for topic, ids in relayed.items():
        for event_id in ids - known:
            result.expect(False, f"{topic} {event_id} is on its topic, but in no outbox", lost=1)
    result.counts["events on topics"] = sum(len(ids) for ids in relayed.values())
    result.counts["resources"] = len(versions)
    for (kind, subject), counted in versions.items():
        first = min(counted) if result.aged else 1
        every = counted if kind in SOME_VERSIONS else range(first, max(counted) + 1)
        wanted = dict.fromkeys(every, 1)
        result.expect(
            counted == Counter(wanted),
            f"{kind} {subject} was published as versions {sorted(counted.elements())}",
            lost=len(wanted.keys() - counted.keys()),
            doubled=counted.total() - len(counted),
        )
    return recorded


async def _topics(settings: Settings, since: datetime) -> tuple[dict[str, set[str]], bool]:
    """Return the event ids of each topic recorded since `since`, and whether any event is older."""
    found: dict[str, set[str]] = {topic: set() for topic in published()}
    oldest = since.timestamp() * 1000
    aged = False
    names, connection = Names(settings.topic_prefix), client_arguments(settings)
    admin = AIOKafkaAdminClient(**connection)
    consumer = AIOKafkaConsumer(**connection, enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        # A consumer knows the partitions of the topics that it subscribes to only; a topic that
        # does not exist is described with no partition.
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in await admin.describe_topics([names.on_kafka(name) for name in found])
            for partition in topic["partitions"]
        ]
        consumer.assign(partitions)
        ends = {p: end for p, end in (await consumer.end_offsets(partitions)).items() if end}
        starts = await consumer.beginning_offsets(partitions)
        left = {p for p, end in ends.items() if end > starts[p]}
        for partition in partitions:
            consumer.seek(partition, starts[partition])
        async with asyncio.timeout(60):
            while left:
                for partition, records in (await consumer.getmany(timeout_ms=500)).items():
                    for record in records:
                        headers = dict(record.headers)
                        if record.timestamp < oldest:
                            aged = True
                        else:
                            found[names.topic(partition.topic)].add(
                                headers.get("ce_id", b"?").decode()
                            )
                        if record.offset + 1 >= ends[partition]:
                            left.discard(partition)
    finally:
        await consumer.stop()
        await admin.close()
    return found, aged
