"""Messages that no consumer can process, of every kind that was ever met."""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.broker.offsets import Positions
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.dead_letters import LEFT_OUT

TOPIC = "patron.registered"
LARGE = 5 * 1024 * 1024
LARGER_THAN_A_DEAD_LETTER = 17 * 1024 * 1024
NO_VALUE = b"no value"
GOOD = {"ce_id": b"poison", "ce_time": b"2021-02-19T04:00:00Z", "content-type": b"application/json"}
BODY = orjson.dumps(
    {
        "version": 1,
        "patron_id": "nobody",
        "category": "adult",
        "home_branch": "B",
        "language": "en",
        "status": "active",
        "card_digest": "d",
    }
)


@dataclass(frozen=True)
class Poison:
    """A message that no consumer can process."""

    name: str
    value: bytes | None = b"{}"
    key: bytes | None = b"nobody"
    headers: tuple[tuple[str, bytes | None], ...] = tuple(GOOD.items())
    timestamp_ms: int | None = None
    """Time of the message by its publisher; None: now."""


def event_headers(**headers: bytes | None) -> tuple[tuple[str, bytes | None], ...]:
    """Return the valid headers with these in their place."""
    return tuple((GOOD | headers).items())


POISONS = (
    Poison("bad JSON", b"{not json"),
    Poison("wrong schema", b'{"version": "x"}'),
    Poison("no text", b"\xff\xfe"),
    Poison("empty", b""),
    Poison("tombstone", None),
    Poison("nothing", None, key=None),
    Poison("no key and wrong schema", key=None),
    Poison("key that is no text", key=b"\xff\xfe"),
    Poison("no headers", BODY, headers=()),
    Poison("no event id", BODY, headers=tuple(GOOD.items())[1:]),
    Poison("event id that is no text", BODY, headers=event_headers(ce_id=b"\xff\xfe")),
    Poison("event id without value", BODY, headers=event_headers(ce_id=None)),
    Poison("event id that commands a terminal", headers=event_headers(ce_id=b"\x1b[2J")),
    Poison("time that is none", BODY, headers=event_headers(ce_time=b"yesterday")),
    Poison("header that is no text", BODY, headers=event_headers(ce_source=b"\xff\xfe")),
    Poison("header without value", BODY, headers=event_headers(ce_source=None)),
    Poison("huge header", headers=event_headers(ce_source=b"x" * 500_000)),
    Poison("of another type", BODY, headers=event_headers(ce_type=b"loan.overdue")),
    Poison(
        "of a version to come", BODY, headers=event_headers(ce_dataschema=b"patron.registered.v2")
    ),
    Poison("nested too deep", b'{"version": ' + b"[" * 500 + b"]" * 500 + b"}"),
    Poison("of a year that no calendar has", timestamp_ms=2**62),
    Poison("5 MB", b'{"version": 1, "fill": "' + b"x" * LARGE + b'"}'),
    Poison("more than a dead letter holds", b"x" * LARGER_THAN_A_DEAD_LETTER),
)


async def allow_any_message(settings: Settings) -> None:
    """Raise the topic's limits, as an operator with other publishers might."""
    async with Positions(settings) as positions:
        limits = {
            "max.message.bytes": str(2 * LARGER_THAN_A_DEAD_LETTER),
            "message.timestamp.after.max.ms": str(2**63 - 1),
        }
        resource = ConfigResource(ConfigResourceType.TOPIC, TOPIC, limits)
        await positions.admin.alter_configs([resource])


async def send_all(
    settings: Settings, topic: str = TOPIC, poisons: Sequence[Poison] = POISONS
) -> dict[tuple[int, int], Poison]:
    """Send every kind, over all partitions; return partition and offset of each."""
    producer = AIOKafkaProducer(
        **client_arguments(settings),
        acks="all",
        max_request_size=2 * LARGER_THAN_A_DEAD_LETTER,
        # The producer refuses a message with neither key nor value.
        value_serializer=lambda value: None if value == NO_VALUE else value,
    )
    await producer.start()
    try:
        sent = {}
        partitions = sorted(await producer.partitions_for(topic))
        for poison, partition in zip(poisons, itertools.cycle(partitions), strict=False):
            place = await producer.send_and_wait(
                topic,
                NO_VALUE if poison.value is None else poison.value,
                key=poison.key,
                headers=list(poison.headers),
                partition=partition,
                timestamp_ms=poison.timestamp_ms,
            )
            sent[partition, place.offset] = poison
        return sent
    finally:
        await producer.stop()


def as_it_came(dead_letter: ConsumerRecord[bytes, bytes], poison: Poison) -> bool:
    """Return whether a dead letter holds its message, or says that it was too large."""
    kept = tuple(header for header in dead_letter.headers if not header[0].startswith("carrel-"))
    if poison.value and len(poison.value) >= LARGER_THAN_A_DEAD_LETTER:
        return (LEFT_OUT, b"too large") in dead_letter.headers and not (dead_letter.value or kept)
    if poison.value is None and poison.key is None:
        return (dead_letter.value, dead_letter.key, kept) == (b"", None, poison.headers)
    return (dead_letter.value, dead_letter.key, kept) == (poison.value, poison.key, poison.headers)
