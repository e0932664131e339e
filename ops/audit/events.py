"""The audit of events: outboxes agree with topics, and each resource's versions are complete."""

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from aiokafka import ConsumerRecord

from ops.audit.findings import Audit
from ops.broker.offsets import Positions, opened, published_at
from services.registry import OWNERS
from services.settings import Settings
from shared.bus.subscriptions import Record
from shared.clock import wall_clock
from shared.contracts import published, resource_of
from shared.ids import time_of
from shared.mongo import Client, Database

SOME_VERSIONS = {"occupancy", "season", "seat", "session"}
"""Kinds of resources of which not every version is published; of a session only its end is."""


BATCH = 1000
EARLY = timedelta(hours=1)
"""Events whose outbox rows may expire within this time are not checked."""


@dataclass(frozen=True)
class Lost:
    """An event on its topic but in no outbox: its change was lost with the database."""

    event_id: str
    topic: str
    subject: str
    """Id of the resource that had changed."""
    key: str
    """Key of the message: for most topics the patron."""
    version: int
    recorded_at: datetime
    patron_id: str = ""
    """The patron whom it concerns; empty for a change of the library's own data."""

    @property
    def publisher(self) -> str:
        """The service that made the change."""
        return published()[self.topic].publisher


async def find_lost(settings: Settings, since: datetime | None = None) -> list[Lost]:
    """Return every lost event that is not recorded yet, in the order of the topics.

    `since` is the time of a backup, before which nothing is lost.
    """
    oldest = since - EARLY if since else _oldest(settings)
    order = {topic: place for place, topic in enumerate(published())}
    found: list[Lost] = []
    async with opened(settings) as (client, positions):
        first = await positions.since(oldest)
        batch: list[Lost] = []
        asked = {partition: at for partition, at in first.items() if partition.topic in order}
        async with aclosing(positions.records_from(asked)) as records:
            async for record in records:
                batch += _in_question(oldest, record)
                if len(batch) == BATCH:
                    found += await _not_kept(settings, client, batch)
                    batch = []
        found += await _not_kept(settings, client, batch)
    # A message may be on its topic more than once.
    once = {event.event_id: event for event in found}.values()
    return sorted(once, key=lambda event: order[event.topic])


async def lost_at_ends(settings: Settings) -> list[Lost]:
    """Return the lost events among the last of each partition: enough to notice a restore."""
    async with opened(settings) as (client, positions):
        last = await positions.last_records(list(published()))
        oldest = _oldest(settings)
        asked = [event for record in last for event in _in_question(oldest, record)]
        return await _not_kept(settings, client, asked)


async def recorded_as_lost(client: Client, settings: Settings) -> AsyncIterator[Lost]:
    """Yield the events that earlier runs of `carrel restore finish` recorded as lost."""
    for service in dict.fromkeys(contract.publisher for contract in published().values()):
        database = client[f"{settings.database_prefix}_{service}"]
        async for row in database.lost_events.find({}):
            yield Lost(event_id=row.pop("_id"), **row)


def _oldest(settings: Settings) -> datetime:
    """Return the time since which the outboxes should have every event."""
    return wall_clock() - timedelta(days=settings.outbox_days) + EARLY


def _in_question(oldest: datetime, record: ConsumerRecord[bytes, bytes]) -> Iterable[Lost]:
    """Yield the event of a message if the outbox should still have it and it can be read."""
    headers = dict(record.headers)
    event_id = (headers.get("ce_id") or b"").decode(errors="replace")
    recorded_at = time_of(event_id)
    if recorded_at is None or min(recorded_at, published_at(record)) < oldest:
        return
    try:
        body = orjson.loads(record.value or b"")
        version = int(body["version"])
    except (ValueError, TypeError, KeyError):
        return
    yield Lost(
        event_id,
        record.topic,
        (headers.get("ce_subject") or b"").decode(errors="replace"),
        (record.key or b"").decode(errors="replace"),
        version,
        recorded_at,
        str(body.get("patron_id") or ""),
    )


async def _not_kept(settings: Settings, client: Client, asked: Sequence[Lost]) -> list[Lost]:
    """Return the events that are neither in an outbox nor recorded as lost."""
    ids: dict[str, list[str]] = defaultdict(list)
    for event in asked:
        ids[event.publisher].append(event.event_id)
    kept: set[str] = set()
    for service, wanted in ids.items():
        database = client[f"{settings.database_prefix}_{service}"]
        for collection in (database.outbox, database.lost_events):
            rows = collection.find({"_id": {"$in": wanted}}, {"_id": 1})
            kept |= {row["_id"] async for row in rows}
    return [event for event in asked if event.event_id not in kept]


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
