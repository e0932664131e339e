"""Dead letters from Kafka, the decision about each, in MongoDB, and messages that are held."""

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Literal

from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from pymongo.errors import DuplicateKeyError

from ops.broker.offsets import Positions, opened, published_at
from ops.console import progress_bar
from services.registry import NAMES
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.dead_letters import LEFT_OUT, NEW, decision_key
from shared.bus.held import HeldMessage, held_messages
from shared.bus.topics import DEAD_LETTER_BYTES, dead_letter_topic
from shared.ids import time_of
from shared.mongo import Client, Document, connect
from shared.names import Names

HOLD_SECONDS = 60
"""Seconds after which a dead letter with the state `sending` counts as abandoned."""

Outcome = Literal["retried", "discarded"]


@dataclass(frozen=True)
class DeadLetter:
    """A dead letter, without its payload."""

    service: str
    partition: int
    offset: int
    timestamp: int
    """Milliseconds; distinguishes it from a dead letter at the same offset of a lost log."""
    topic: str
    """Topic of the original message; empty if it is not stated."""
    error: str
    tries: str
    left_out: bool
    """True if the message was too large for a dead letter: it is on its topic only."""
    buried_at: str
    recorded_at: datetime | None
    """Time at which its event was recorded, from its id; None if that is no id of ours."""
    dealt_with: str
    """`retried` or `discarded`; `sending` in between; empty while it waits."""
    dealt_by: str
    dealt_at: datetime | None

    @property
    def id(self) -> str:
        """The id by which operators name it."""
        return f"{self.service}/{self.partition}-{self.offset}"

    @property
    def decision_key(self) -> str:
        """The key of the decision about it."""
        return decision_key(self.partition, self.offset, self.timestamp)

    def document(self) -> dict[str, Any]:
        """Return the document that --json prints."""
        return {"id": self.id, **asdict(self)}


@dataclass(frozen=True)
class Filter:
    """A selection of dead letters. Empty values do not narrow it."""

    services: Sequence[str] = NAMES
    topic: str = ""
    error: str = ""
    ids: frozenset[str] = field(default_factory=frozenset)
    waiting: bool = True
    """True for only those that nobody has retried or discarded."""

    def holds(self, dead_letter: DeadLetter) -> bool:
        """Return whether a dead letter is selected."""
        return (
            (not self.topic or dead_letter.topic == self.topic)
            and self.error in dead_letter.error
            and (not self.ids or dead_letter.id in self.ids)
            and (not self.waiting or dead_letter.dealt_with in ("", "sending"))
        )


async def find_dead_letters(settings: Settings, wanted: Filter) -> list[DeadLetter]:
    """Return the selected dead letters by service, oldest first."""
    found: list[DeadLetter] = []
    async with opened(settings) as (client, positions):
        for service in wanted.services:
            async with aclosing(_read(settings, client, positions, service)) as read:
                own = [dead_letter async for dead_letter, _ in read if wanted.holds(dead_letter)]
            found += sorted(own, key=lambda one: (one.timestamp, one.partition, one.offset))
    return found


async def find_one(
    settings: Settings, wanted: Filter
) -> tuple[DeadLetter, ConsumerRecord[bytes, bytes]] | None:
    """Return the first selected dead letter with its record."""
    async with opened(settings) as (client, positions):
        for service in wanted.services:
            async with aclosing(_read(settings, client, positions, service)) as read:
                async for dead_letter, record in read:
                    if wanted.holds(dead_letter):
                        return dead_letter, record
    return None


async def decide(
    settings: Settings, chosen: Sequence[DeadLetter], outcome: Outcome, who: str
) -> int:
    """Retry or discard dead letters; return how many, because others may be faster.

    Each is claimed, then sent, then recorded as decided. If the command ends before the record, a
    later retry may send it again.
    """
    keys = {dead_letter.decision_key for dead_letter in chosen}
    done = 0
    async with opened(settings) as (client, positions), _producer(settings, outcome) as producer:
        with progress_bar(f"Dead letters {outcome}") as bar:
            task = bar.add_task("", total=len(chosen))
            for service in dict.fromkeys(dead_letter.service for dead_letter in chosen):
                decisions = client[f"{settings.database_prefix}_{service}"].dead_letters
                async with aclosing(_read(settings, client, positions, service)) as read:
                    async for dead_letter, record in read:
                        if dead_letter.decision_key not in keys:
                            continue
                        bar.advance(task)
                        if not await _claim(decisions, dead_letter, who):
                            continue
                        if producer is not None:
                            await _send(decisions, producer, dead_letter, record, positions.names)
                        change = {"$set": {"state": outcome}, "$currentDate": {"at": True}}
                        await decisions.update_one(
                            {"_id": dead_letter.decision_key, "by": who}, change
                        )
                        done += 1
    return done


async def _claim(decisions: Any, dead_letter: DeadLetter, who: str) -> bool:
    """Claim a dead letter for this command; return False if another command has it."""
    about = {"service": dead_letter.service, "topic": dead_letter.topic, "error": dead_letter.error}
    claim: Document = {
        "by": {"$literal": who},
        "at": "$$NOW",
        "state": "sending",
        **{name: {"$literal": text} for name, text in about.items()},
    }
    with suppress(DuplicateKeyError):
        await decisions.update_one(
            {"_id": dead_letter.decision_key, "state": NEW}, [{"$set": claim}], upsert=True
        )
        return True
    until = {"$dateSubtract": {"startDate": "$$NOW", "unit": "second", "amount": HOLD_SECONDS}}
    abandoned = {
        "_id": dead_letter.decision_key,
        "state": "sending",
        "$expr": {"$lt": ["$at", until]},
    }
    return await decisions.find_one_and_update(abandoned, [{"$set": claim}]) is not None


async def _send(
    decisions: Any,
    producer: AIOKafkaProducer,
    dead_letter: DeadLetter,
    record: ConsumerRecord[bytes, bytes],
    names: Names,
) -> None:
    """Publish a dead letter as the original message."""
    try:
        await producer.send_and_wait(
            names.on_kafka(dead_letter.topic),
            value=record.value,
            key=record.key,
            headers=[(name, raw) for name, raw in record.headers if not _is_added_header(name)],
        )
    except BaseException:
        # It is unknown if it was sent: it waits again, and may be published twice.
        sending = {"_id": dead_letter.decision_key, "state": "sending"}
        await decisions.update_one(sending, {"$set": {"state": NEW}})
        raise


def _is_added_header(header: str) -> bool:
    return header.startswith("carrel-")


async def _read(
    settings: Settings, client: Client, positions: Positions, service: str
) -> AsyncGenerator[tuple[DeadLetter, ConsumerRecord[bytes, bytes]]]:
    decisions = client[f"{settings.database_prefix}_{service}"].dead_letters
    decided = {one["_id"]: one async for one in decisions.find({"state": {"$ne": NEW}})}
    async with aclosing(positions.records(dead_letter_topic(service))) as records:
        async for record in records:
            headers = {name: text_of(raw) for name, raw in record.headers}
            dead_letter = DeadLetter(
                service=service,
                partition=record.partition,
                offset=record.offset,
                timestamp=record.timestamp,
                topic=headers.get("carrel-topic", ""),
                error=headers.get("carrel-error", ""),
                tries=headers.get("carrel-tries", "?"),
                left_out=LEFT_OUT in headers,
                buried_at=headers.get("carrel-buried-at", "") or published_at(record).isoformat(),
                recorded_at=time_of(headers.get("ce_id", "")),
                dealt_with="",
                dealt_by="",
                dealt_at=None,
            )
            decision = decided.get(dead_letter.decision_key)
            yield (_with_decision(dead_letter, decision) if decision else dead_letter), record


def _with_decision(dead_letter: DeadLetter, decision: Document) -> DeadLetter:
    decided = {
        "dealt_with": decision["state"],
        "dealt_by": decision["by"],
        "dealt_at": decision["at"],
    }
    return DeadLetter(**{**asdict(dead_letter), **decided})


@asynccontextmanager
async def _producer(settings: Settings, outcome: Outcome) -> AsyncIterator[AIOKafkaProducer | None]:
    if outcome == "discarded":
        yield None
        return
    producer = AIOKafkaProducer(
        **client_arguments(settings),
        client_id="dead-letters",
        acks="all",
        enable_idempotence=True,
        max_request_size=DEAD_LETTER_BYTES,
    )
    try:
        await producer.start()
        yield producer
    finally:
        await producer.stop()


def text_of(raw: bytes | None) -> str:
    """Return the bytes of a header or key as text; bytes that are not UTF-8 are escaped."""
    return (raw or b"").decode(errors="backslashreplace")


async def find_held(settings: Settings) -> list[tuple[str, HeldMessage]]:
    """Return each message that holds its partition, with its service, the longest first.

    A process that died may have left one that another has processed since: its position says so.
    """
    client = connect(settings.mongo_url)
    found: list[tuple[str, HeldMessage]] = []
    try:
        async with Positions(settings) as positions:
            for service in NAMES:
                database = client[f"{settings.database_prefix}_{service}"]
                if not (waiting := await held_messages(database)):
                    continue
                read = await positions.committed(service)
                found += [
                    (service, message)
                    for message in waiting
                    if read.get(TopicPartition(message.topic, message.partition), 0)
                    <= message.offset
                ]
    finally:
        client.close()
    return sorted(found, key=lambda item: -item[1].seconds)
