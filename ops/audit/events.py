"""The audit of events: outboxes agree with topics, and each resource's versions are complete."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from datetime import datetime

import orjson

from ops.audit.findings import Audit
from ops.audit.lost_events import Lost
from ops.broker.offsets import Positions
from services.registry import OWNERS
from services.settings import Settings
from shared.contracts import published, resource_of
from shared.mongo import Database

SOME_VERSIONS = {"occupancy", "season", "seat", "session"}
"""Kinds of resources of which not every version is published; of a session only its end is."""


async def check_events(
    result: Audit,
    stores: Mapping[str, Database],
    settings: Settings,
    since: datetime,
    lost: Sequence[Lost],
) -> None:
    """Compare outboxes with topics, and check the versions of each resource.

    `lost` are events lost before a backup was restored: no outbox has them, and their versions are
    not used again.
    """
    relayed, result.aged = await events_on_topics(settings, since)
    result.counts["events on topics"] = sum(len(ids) for ids in relayed.values())
    versions: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for service in OWNERS:
        async for row in stores[service].outbox.find({"recorded_at": {"$gte": since}}):
            topic = row["topic"]
            result.counts["events recorded"] += 1
            result.expect("pending" not in row, f"{topic} {row['_id']} was never published")
            result.expect(
                row["_id"] in relayed[topic], f"{topic} {row['_id']} is not on its topic", lost=1
            )
            relayed[topic].discard(row["_id"])
            resource = (resource_of(topic), row["headers"]["ce_subject"])
            versions[resource][orjson.loads(row["body"])["version"]] += 1
    for event in lost:
        relayed.get(event.topic, set()).discard(event.event_id)
        kind = resource_of(event.topic)
        if counted := versions.get((kind, event.subject)):
            # A notification's id derives from its event, so it may be made again after a restore.
            again = kind == "notification" and counted[event.version]
            counted[event.version] += 0 if again else 1
    result.counts["events lost before a restore"] = len(lost)
    for topic, left in relayed.items():
        for event_id in left:
            result.expect(False, f"{topic} {event_id} is on its topic, but in no outbox", lost=1)
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


async def events_on_topics(settings: Settings, since: datetime) -> tuple[dict[str, set[str]], bool]:
    """Return the event ids of each topic recorded since `since`, and whether any event is older.

    Raises KafkaTimeoutError if the broker falls silent.
    """
    found: dict[str, set[str]] = {topic: set() for topic in published()}
    oldest = int(since.timestamp() * 1000)
    async with Positions(settings) as positions:
        starts = await positions.starts()
        first = {p: at for p, at in (await positions.since(since)).items() if p.topic in found}
        async with aclosing(positions.records_from(first)) as records:
            async for record in records:
                if record.timestamp >= oldest:
                    event_id = dict(record.headers).get("ce_id", b"?").decode()
                    found[record.topic].add(event_id)
    return found, any(starts[p] < at for p, at in first.items())
