"""Held messages: messages that hold their partition while their consumer waits for something.

They are also kept in the service's database, where `carrel doctor` reads them and where an
operator may decide that a message becomes a dead letter.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from prometheus_client import Gauge
from pymongo import ReturnDocument
from pymongo.errors import PyMongoError

from shared.clock import wall_clock
from shared.mongo import Database, Document

HELD_SECONDS = 120
"""Seconds after which readiness and the metric report a held message; operators see it at once."""

HELD = Gauge(
    "carrel_message_held_seconds",
    "How long the message in hand has held its partition, if longer than two minutes",
    ["topic"],
)


class OperatorDecision(Exception):
    """An operator has decided that a message becomes a dead letter."""

    code = "operator-decision"


@dataclass(frozen=True)
class HeldMessage:
    """A message that waits to be processed, and the time since when."""

    topic: str
    partition: int
    offset: int
    since: datetime
    error: str
    """The error that its consumer waits to pass."""

    @property
    def seconds(self) -> float:
        """Seconds for which it has held its partition."""
        return (wall_clock() - self.since).total_seconds()

    @property
    def place(self) -> str:
        """The place as `carrel dead-letters add` takes it: topic/partition/offset."""
        return f"{self.topic}/{self.partition}/{self.offset}"

    def __str__(self) -> str:
        """Return the line that operators read."""
        seconds = self.seconds
        long = f"{seconds:.0f} s" if seconds < HELD_SECONDS else f"{seconds / 60:.0f} min"
        return f"{self.place} has held its partition for {long} ({self.error})"


class HeldMessages:
    """The messages that one consumer had to put back, by partition."""

    def __init__(self, database: Database) -> None:
        self._collection = database.held_messages
        self._known: dict[TopicPartition, HeldMessage] = {}

    async def note(self, record: ConsumerRecord[Any, Any], error: str) -> None:
        """Note that a message was put back to be tried again."""
        at = TopicPartition(record.topic, record.partition)
        known = self._known.get(at)
        if known is None or known.offset != record.offset:
            since = wall_clock()
            known = HeldMessage(record.topic, record.partition, record.offset, since, error)
        with contextlib.suppress(PyMongoError):
            same = {"$eq": ["$offset", record.offset]}
            kept = await self._collection.find_one_and_update(
                {"_id": _key(at)},
                [
                    {
                        "$replaceWith": {
                            "$mergeObjects": [
                                {"$cond": [same, "$$ROOT", {"since": "$$NOW"}]},
                                {"_id": _key(at), "topic": at.topic, "partition": at.partition},
                                {"offset": record.offset, "error": {"$literal": error}},
                            ]
                        }
                    }
                ],
                upsert=True,
                return_document=ReturnDocument.AFTER,
            )
            known = _read(kept)
        self._known[at] = known

    async def given_up(self, record: ConsumerRecord[Any, Any]) -> bool:
        """Return whether an operator has decided that this message becomes a dead letter."""
        at = TopicPartition(record.topic, record.partition)
        if at not in self._known:
            return False
        with contextlib.suppress(PyMongoError):
            wanted = {"_id": _key(at), "offset": record.offset, "given_up_by": {"$exists": True}}
            return await self._collection.find_one(wanted) is not None
        return False

    async def done(self, records: Iterable[ConsumerRecord[Any, Any]]) -> None:
        """Note that messages were processed or became dead letters."""
        if not self._known:
            return
        for at in {TopicPartition(record.topic, record.partition) for record in records}:
            if self._known.pop(at, None) is not None:
                with contextlib.suppress(PyMongoError):
                    await self._collection.delete_one({"_id": _key(at)})

    def reported(self, ours: Iterable[TopicPartition]) -> list[HeldMessage]:
        """Return the messages of these partitions held for minutes, and set the metric to them."""
        found = [self._known[at] for at in ours if at in self._known]
        found = [held for held in found if held.seconds >= HELD_SECONDS]
        HELD.clear()
        for held in sorted(found, key=lambda held: held.seconds):
            HELD.labels(held.topic).set(held.seconds)
        return found


async def held_messages(database: Database) -> list[HeldMessage]:
    """Return the held messages of a service, also those of processes that died."""
    return [_read(document) async for document in database.held_messages.find({})]


async def give_up(database: Database, topic: str, partition: int, offset: int, who: str) -> bool:
    """Make a held message a dead letter; return False if it is no longer held."""
    at = TopicPartition(topic, partition)
    given_up = {"$set": {"given_up_by": who}}
    found = await database.held_messages.update_one({"_id": _key(at), "offset": offset}, given_up)
    return found.matched_count > 0


def _key(at: TopicPartition) -> str:
    return f"{at.topic}/{at.partition}"


def _read(document: Document) -> HeldMessage:
    names = ("topic", "partition", "offset", "since", "error")
    return HeldMessage(*(document[name] for name in names))
