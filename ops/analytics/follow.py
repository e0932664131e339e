"""The events of all topics, written to tables: each once, however often it comes."""

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaTimeoutError

from ops.analytics.columns import UNREADABLE, row_of, unreadable_row
from ops.analytics.destination import Destination, Offsets, Row
from ops.broker.offsets import SILENCE_MS, Positions
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.resting import rest_between_fetches
from shared.bus.subscriptions import Record
from shared.contracts import published
from shared.names import Names

COMMIT_ROWS = 50_000
COMMIT_SECONDS = 30.0
POLL_MS = 500

Advance = Callable[[int, int], None]
"""Called with the numbers of messages that were read, and that are to be read."""


@dataclass
class Followed:
    """The numbers of messages of one run."""

    added: Counter[str] = field(default_factory=Counter)
    """New rows by table."""
    repeated: int = 0
    """Messages whose event was there already."""
    missed: int = 0
    """Messages that the topics had deleted before they were read."""


class Follower:
    """Reads the topics from the offsets of the tables on."""

    def __init__(
        self, settings: Settings, tables: Destination, advance: Advance = lambda *_: None
    ) -> None:
        self.followed = Followed()
        self._settings = settings
        self._tables = tables
        self._advance = advance
        self._names = Names(settings.topic_prefix)
        self._rows: dict[str, list[Row]] = defaultdict(list)
        self._offsets: Offsets = defaultdict(dict)
        self._waiting = 0

    async def run(self, *, until_now: bool) -> None:
        """Read until the present ends of the topics, or until cancelled.

        What was read before a cancellation is written. Raises KafkaTimeoutError if the broker falls
        silent before the ends.
        """
        ends, at = await self._bounds()
        left = {partition for partition, offset in at.items() if offset < ends[partition]}
        total, read = sum(ends[partition] - at[partition] for partition in left), 0
        if until_now:
            if not left:
                return
            at = {partition: at[partition] for partition in left}
        reader = AIOKafkaConsumer(
            **client_arguments(self._settings),
            enable_auto_commit=False,
            auto_offset_reset="none",
        )
        await reader.start()
        resting = asyncio.create_task(
            rest_between_fetches(reader, self._settings.idle_poll_ms, lambda: read)
        )
        try:
            reader.assign([self._names.partition_on_kafka(partition) for partition in at])
            for partition, offset in at.items():
                reader.seek(self._names.partition_on_kafka(partition), offset)
            written = shown = time.monotonic()
            silent = 0.0
            while left or not until_now:
                asked = time.monotonic()
                fetched = self._names.by_partition(await reader.getmany(timeout_ms=POLL_MS))
                now = time.monotonic()
                # Only waiting counts: to read and write what came can take long on a slow machine.
                silent = 0.0 if fetched else silent + now - asked
                for partition, records in fetched.items():
                    for record in records:
                        self._take(self._names.record(record))
                    after = records[-1].offset + 1
                    self._offsets[partition.topic][partition.partition] = after
                    if after >= ends[partition]:
                        left.discard(partition)
                    read += len(records)
                self._advance(read, max(total, read))
                if left and silent > SILENCE_MS / 1000:
                    raise KafkaTimeoutError("the topics were not read to their ends")
                if self._waiting >= COMMIT_ROWS or now - written > COMMIT_SECONDS:
                    self._write()
                    written = now
                if now - shown > COMMIT_SECONDS:
                    self._tables.show()
                    shown = now
            self._write()
        except asyncio.CancelledError:
            self._write()
            raise
        finally:
            resting.cancel()
            await reader.stop()

    async def _bounds(self) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int]]:
        """Return the ends of all partitions, and the offsets to read them from."""
        async with Positions(self._settings) as positions:
            starts, ends = await positions.starts(), await positions.ends()
        at = {}
        for partition, start in starts.items():
            if partition.topic not in published():
                continue
            kept = self._tables.offsets.get(partition.topic, {}).get(partition.partition)
            if kept is None or kept > ends[partition]:  # beyond the end: of a lost log
                kept = start
            self.followed.missed += max(0, start - kept)
            at[partition] = max(kept, start)
        return ends, at

    def _take(self, record: Record) -> None:
        self._waiting += 1
        try:
            self._rows[record.topic].append(row_of(record, self._settings.zone))
        except ValueError as error:
            self._rows[UNREADABLE].append(unreadable_row(record, error))

    def _write(self) -> None:
        """Write what was read, if anything."""
        new = {}
        for table, rows in self._rows.items():
            if table == UNREADABLE:
                new[table] = rows
                continue
            # The first of several in one batch counts: they are equal but for their offsets.
            by_id = {row["event_id"]: row for row in reversed(rows)}
            kept = self._tables.kept_among(table, by_id)
            new[table] = [row for event_id, row in by_id.items() if event_id not in kept][::-1]
            self.followed.repeated += len(rows) - len(new[table])
        if self._offsets:
            self._tables.add(new, self._offsets)
        self.followed.added.update({table: len(rows) for table, rows in new.items() if rows})
        self._rows.clear()
        self._offsets.clear()
        self._waiting = 0
