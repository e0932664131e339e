"""The audit of events: outboxes agree with topics, and each resource's versions are complete."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime

import orjson

from ops.audit.findings import Audit
from ops.audit.lost_events import Lost
from ops.broker.offsets import Positions
from services.registry import OWNERS
from services.settings import Settings
from shared.bus.subscriptions import Record
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
    found = await events_on_topics(settings, since)
    result.aged = found.aged
    relayed = {topic: dict(places) for topic, places in found.places.items()}
    result.counts["events on topics"] = sum(map(len, relayed.values()))
    for place in found.without_id:
        result.expect(False, f"{place} is no event: it has no id that can be read")
    versions: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    for service in OWNERS:
        async for row in stores[service].outbox.find({"recorded_at": {"$gte": since}}):
            topic = row["topic"]
            result.counts["events recorded"] += 1
            result.expect("pending" not in row, f"{topic} {row['_id']} was never published")
            result.expect(
                row["_id"] in relayed[topic], f"{topic} {row['_id']} is not on its topic", lost=1
            )
            relayed[topic].pop(row["_id"], None)
            resource = (resource_of(topic), row["headers"]["ce_subject"])
            versions[resource][orjson.loads(row["body"])["version"]] += 1
    for event in lost:
        relayed.get(event.topic, {}).pop(event.event_id, None)
        kind = resource_of(event.topic)
        if counted := versions.get((kind, event.subject)):
            # A notification's id derives from its event, so it may be made again after a restore.
            again = kind == "notification" and counted[event.version]
            counted[event.version] += 0 if again else 1
    result.counts["events lost before a restore"] = len(lost)
    for left in relayed.values():
        for event_id, place in left.items():
            result.expect(False, f"{place} is in no outbox: {event_id}", lost=1)
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


@dataclass(frozen=True)
class OnTopics:
    """The messages on the topics since some moment; a place is topic/partition/offset."""

    places: Mapping[str, dict[str, str]]
    """The place of each event, by topic and id; the last one of an event that is there twice."""
    without_id: Sequence[str]
    """The places of messages without an id that can be read."""
    aged: bool
    """True if the topics have earlier messages."""


async def events_on_topics(settings: Settings, since: datetime) -> OnTopics:
    """Return what was published on the topics since `since`.

    Raises KafkaTimeoutError if the broker falls silent.
    """
    places: dict[str, dict[str, str]] = {topic: {} for topic in published()}
    without_id = []
    oldest = int(since.timestamp() * 1000)
    async with Positions(settings) as positions:
        starts = await positions.starts()
        first = {p: at for p, at in (await positions.since(since)).items() if p.topic in places}
        async with aclosing(positions.records_from(first)) as records:
            async for record in records:
                if record.timestamp < oldest:
                    continue
                place = f"{record.topic}/{record.partition}/{record.offset}"
                if event_id := _id_of(record):
                    places[record.topic][event_id] = place
                else:
                    without_id.append(place)
    return OnTopics(places, without_id, aged=any(starts[p] < at for p, at in first.items()))


def _id_of(record: Record) -> str:
    """Return the id of an event; empty if the message has none that is a text."""
    try:
        return (dict(record.headers).get("ce_id") or b"").decode()
    except UnicodeDecodeError:
        return ""
