"""Events on topics that no outbox has: their changes were lost with a database.

Decision 070 describes how such changes are found and recorded.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson
from aiokafka import ConsumerRecord

from ops.broker.offsets import Positions, published_at
from services.settings import Settings
from shared.clock import wall_clock
from shared.contracts import published
from shared.ids import time_of
from shared.mongo import Client, connect

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

    @property
    def publisher(self) -> str:
        """The service that made the change."""
        return published()[self.topic].publisher


async def find_lost(settings: Settings) -> list[Lost]:
    """Return every lost event that is not recorded yet, in the order of the topics."""
    order = {topic: place for place, topic in enumerate(published())}
    found: list[Lost] = []
    async with opened(settings) as (client, positions):
        first = await positions.since(_oldest(settings))
        batch: list[Lost] = []
        asked = {partition: at for partition, at in first.items() if partition.topic in order}
        async with aclosing(positions.records_from(asked)) as records:
            async for record in records:
                batch += _in_question(settings, record)
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
        asked = [event for record in last for event in _in_question(settings, record)]
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


def _in_question(settings: Settings, record: ConsumerRecord[bytes, bytes]) -> Iterable[Lost]:
    """Yield the event of a message if the outbox should still have it and it can be read."""
    headers = dict(record.headers)
    event_id = (headers.get("ce_id") or b"").decode(errors="replace")
    recorded_at = time_of(event_id)
    if recorded_at is None or min(recorded_at, published_at(record)) < _oldest(settings):
        return
    try:
        version = int(orjson.loads(record.value or b"")["version"])
    except (ValueError, TypeError, KeyError):
        return
    yield Lost(
        event_id,
        record.topic,
        (headers.get("ce_subject") or b"").decode(errors="replace"),
        (record.key or b"").decode(errors="replace"),
        version,
        recorded_at,
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


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Client, Positions]]:
    """Yield the database and the positions of a system."""
    client: Client = connect(settings.mongo_url)
    try:
        async with Positions(settings) as positions:
            yield client, positions
    finally:
        client.close()
