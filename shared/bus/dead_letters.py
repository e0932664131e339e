"""Dead letters: messages that can't be processed, kept with their bytes and headers.

Each is also noted in the service's database, where operators decide about it.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pymongo
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import MessageSizeTooLargeError
from prometheus_client import Counter
from pydantic import ValidationError
from pymongo.errors import PyMongoError

from shared.bus.connection import client_arguments
from shared.bus.subscriptions import Record
from shared.bus.topics import DEAD_LETTER_BYTES, dead_letter_topic
from shared.clock import wall_clock
from shared.mongo import Database, Document
from shared.names import Names
from shared.settings import Settings

log = structlog.get_logger()

DEAD_LETTERS = Counter("carrel_dead_letters_total", "Messages that became dead letters", ["topic"])
LEFT_OUT = "carrel-left-out"
"""Header of a dead letter without its message, which was larger than DEAD_LETTER_BYTES."""
AGAIN_SECONDS = 1
STORE_SECONDS = 3.0
"""Seconds that the note of a dead letter may take."""
NEW = "new"
"""State of a dead letter about which nobody has decided."""


@dataclass(frozen=True)
class WaitingLetter:
    """A dead letter about which nobody has decided, as the service noted it."""

    id: str
    """Its partition and offset on the topic of dead letters."""
    topic: str
    """Topic of the message."""
    error: str
    at: datetime


def decision_key(partition: int, offset: int, timestamp: int) -> str:
    """Return the id of the note and the decision; `timestamp` in ms tells logs apart."""
    return f"{partition}-{offset}-{timestamp}"


async def find_waiting(database: Database, most: int) -> list[WaitingLetter]:
    """Return the oldest dead letters of a service about which nobody has decided."""
    found = database.dead_letters.find({"state": NEW}).sort("at").limit(most)
    return [
        WaitingLetter(note["_id"].rpartition("-")[0], note["topic"], note["error"], note["at"])
        async for note in found
    ]


async def count_waiting(database: Database) -> int:
    """Return how many dead letters of a service wait for a decision."""
    return await database.dead_letters.count_documents({"state": NEW})


class DeadLetters:
    """Sends the dead letters of one process to the topic of its service."""

    def __init__(self, service: str, settings: Settings, database: Database) -> None:
        self._database = database
        self._topic = Names(settings.topic_prefix).on_kafka(dead_letter_topic(service))
        self._settings = settings
        self._client_id = f"{service}-{settings.replica}-dead-letters"
        self._producer: AIOKafkaProducer | None = None

    async def send(self, record: Record, error: Exception, tries: int) -> None:
        """Make a dead letter of a message, once; wait as long as the broker is away.

        A message is read again after a rebalance or a replay. Its note tells that it has a dead
        letter; only a process that ends between the two makes a second one.
        """
        place = f"{record.topic}/{record.partition}/{record.offset}/{record.timestamp}"
        if await self._is_noted(place):
            return
        reason = describe(error)
        about = _headers(record, reason, tries)
        # aiokafka sends no message without key and value: an empty value replaces both.
        value = b"" if record.value is None and record.key is None else record.value
        # With a time of its own, which the note has, too.
        fixed = {"timestamp_ms": int(wall_clock().timestamp() * 1000)}
        message = {
            "value": value,
            "key": record.key,
            "headers": [*record.headers, *about],
            **fixed,
        }
        while True:
            try:
                producer = await self._dlq_producer()
                sent = await producer.send_and_wait(self._topic, **message)
                break
            except MessageSizeTooLargeError:
                # The partition must go on; the dead letter names the place of the message.
                message = {"value": b"", "headers": [*about, (LEFT_OUT, b"too large")], **fixed}
            except Exception as failure:  # noqa: BLE001 - the message must not be lost
                log.warning("dead letter waits for the broker", error=type(failure).__name__)
                # A producer whose sequence number was refused is refused every later message too.
                await self.close()
                await asyncio.sleep(AGAIN_SECONDS)
        key = decision_key(sent.partition, sent.offset, sent.timestamp)
        await self._note(key, topic=record.topic, error=reason, place=place)
        DEAD_LETTERS.labels(record.topic).inc()
        log.error(
            "dead letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=reason,
            tries=tries,
        )

    async def _is_noted(self, place: str) -> bool:
        """Return whether the message of this topic, partition, offset and time has one."""
        try:
            with pymongo.timeout(STORE_SECONDS):
                return await self._database.dead_letters.find_one({"place": place}) is not None
        except PyMongoError:
            return False

    async def _note(self, key: str, **texts: str) -> None:
        """Note that a dead letter waits. Without the note, operators' commands still find it."""
        note: Document = {name: {"$literal": text} for name, text in texts.items()}
        note["state"] = NEW
        noting: list[dict[str, Any]] = [{"$set": {**note, "at": "$$NOW"}}]
        try:
            with pymongo.timeout(STORE_SECONDS):
                await self._database.dead_letters.update_one({"_id": key}, noting, upsert=True)
        except PyMongoError as error:
            log.warning("dead letter not noted", key=key, error=type(error).__name__)

    async def close(self) -> None:
        """Close the producer; the next dead letter opens another."""
        producer, self._producer = self._producer, None
        if producer is not None:
            await producer.stop()

    async def _dlq_producer(self) -> AIOKafkaProducer:
        if self._producer is None:
            producer = AIOKafkaProducer(
                **client_arguments(self._settings),
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                max_request_size=DEAD_LETTER_BYTES,
            )
            try:
                await producer.start()
            except BaseException:
                await producer.stop()
                raise
            self._producer = producer
        return self._producer


def describe(error: Exception) -> str:
    """Describe an error without any value of the message, because it must not reach the log."""
    if isinstance(error, ValidationError):
        faults = error.errors(include_input=False, include_url=False, include_context=False)
        text = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc'])}: {fault['type']}"
            for fault in faults[:5]
        )
        return f"invalid: {text}"
    code = getattr(error, "code", None)
    if isinstance(code, str):
        return f"refused: {code}"
    return f"{type(error).__module__}.{type(error).__name__}"


def _headers(record: Record, reason: str, tries: int) -> list[tuple[str, bytes]]:
    """Return the headers that a dead letter has besides those of its message."""
    about = {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "error": reason,
        "tries": tries,
        "buried-at": wall_clock().isoformat(),  # its name since the first dead letters
    }
    return [(f"carrel-{name}", str(value).encode()) for name, value in about.items()]
