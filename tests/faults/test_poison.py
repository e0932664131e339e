"""Messages at fault under load become dead letters, and other messages are processed.

Every kind is sent to a topic that most services hear, during a day at the library.
"""

import itertools
from dataclasses import dataclass

import orjson
from aiokafka import AIOKafkaProducer, ConsumerRecord
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from ops.audit.findings import Audit
from ops.broker.offsets import Positions, subscribed_topics
from ops.infrastructure.processes import System
from services.settings import Settings
from shared.bus.connection import client_arguments
from shared.bus.dead_letters import LEFT_OUT
from shared.bus.topics import dead_letter_topic
from tests.faults.load import Load
from tests.faults.report import record
from tests.faults.waits import Waits
from tests.library import Library
from tests.ops.command import carrel
from tests.secured import administrators
from tests.support import until

TOPIC = "patron.registered"
SUBSCRIBERS = [service for service, topics in subscribed_topics().items() if TOPIC in topics]
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
    Poison("time that is none", BODY, headers=event_headers(ce_time=b"yesterday")),
    Poison("header that is no text", BODY, headers=event_headers(ce_source=b"\xff\xfe")),
    Poison("header without value", BODY, headers=event_headers(ce_source=None)),
    Poison("huge header", headers=event_headers(ce_source=b"x" * 500_000)),
    Poison("of another type", BODY, headers=event_headers(ce_type=b"loan.overdue")),
    Poison(
        "of a version to come", BODY, headers=event_headers(ce_dataschema=b"patron.registered.v2")
    ),
    Poison("5 MB", b'{"version": 1, "fill": "' + b"x" * LARGE + b'"}'),
    Poison("more than a dead letter holds", b"x" * LARGER_THAN_A_DEAD_LETTER),
)


async def test_messages_at_fault_become_dead_letters_and_other_messages_are_processed(
    running: System, library: Library
) -> None:
    settings = running.settings(Settings)
    await allow_large_messages(administrators(running))
    async with Waits(running) as waits, Load(library) as load:
        sent = await send_all(settings)
        await all_are_dead_letters(settings, len(sent))
    found = without_the_poison(await load.audited())
    by_service = {service: await dead_letters_of(settings, service) for service in SUBSCRIBERS}
    longest = max(waits.longest.values())
    print(f"poison: others waited {longest:.1f} s at most")  # noqa: T201
    record(
        f"{len(POISONS)} kinds of messages at fault, into each service",
        running,
        invariant="each becomes a dead letter with its bytes and headers; the others are processed",
        found=found,
        counts={"messages": len(sent) * len(by_service)},
        recovery=longest,
    )
    for service, dead_letters in by_service.items():
        for place, poison in sent.items():
            assert as_it_came(dead_letters[place], poison), (service, poison.name)
    listed = await carrel(settings, "dead-letters", "list", "--json")
    assert len(listed.json()["dead_letters"]) == len(sent) * len(by_service)
    refused = await carrel(settings, "dead-letters", "retry", "--all", "--yes")
    assert refused.code == 1
    assert "was too large to be kept" in refused.err
    load.check_answers()
    assert found.findings == []


def without_the_poison(found: Audit) -> Audit:
    """Return the audit without its correct findings about these messages: no outbox has them."""
    for event_id in ("poison", "?"):  # with its id, and without one
        found.findings.remove(f"{TOPIC} {event_id} is on its topic, but in no outbox")
        found.lost -= 1
    return found


async def allow_large_messages(settings: Settings) -> None:
    """Raise the topic's message limit, as an operator with other large publishers might."""
    async with Positions(settings) as positions:
        limit = {"max.message.bytes": str(2 * LARGER_THAN_A_DEAD_LETTER)}
        resource = ConfigResource(ConfigResourceType.TOPIC, TOPIC, limit)
        await positions.admin.alter_configs([resource])


async def send_all(settings: Settings) -> dict[tuple[int, int], Poison]:
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
        partitions = sorted(await producer.partitions_for(TOPIC))
        for poison, partition in zip(POISONS, itertools.cycle(partitions), strict=False):
            place = await producer.send_and_wait(
                TOPIC,
                NO_VALUE if poison.value is None else poison.value,
                key=poison.key,
                headers=list(poison.headers),
                partition=partition,
            )
            sent[partition, place.offset] = poison
        return sent
    finally:
        await producer.stop()


async def all_are_dead_letters(settings: Settings, count: int) -> None:
    """Wait until each service has `count` dead letters."""
    async with Positions(settings) as positions:

        async def arrived() -> bool:
            ends = await positions.ends()
            topics = {dead_letter_topic(service) for service in SUBSCRIBERS}
            return sum(ends[p] for p in ends if p.topic in topics) >= count * len(topics)

        await until(arrived, within=60, every=0.1)


async def dead_letters_of(
    settings: Settings, service: str
) -> dict[tuple[int, int], ConsumerRecord[bytes, bytes]]:
    """Return the dead letters of a service by their original partition and offset."""
    found = {}
    async with Positions(settings) as positions:
        async for dead_letter in positions.records(dead_letter_topic(service)):
            headers = dict(dead_letter.headers)
            assert headers["carrel-topic"] == TOPIC.encode()
            place = int(headers["carrel-partition"]), int(headers["carrel-offset"])
            assert place not in found, f"dead letter twice: {place}"
            found[place] = dead_letter
    return found


def as_it_came(dead_letter: ConsumerRecord[bytes, bytes], poison: Poison) -> bool:
    """Return whether a dead letter holds its message, or says that it was too large."""
    kept = tuple(header for header in dead_letter.headers if not header[0].startswith("carrel-"))
    if poison.value and len(poison.value) >= LARGER_THAN_A_DEAD_LETTER:
        return (LEFT_OUT, b"too large") in dead_letter.headers and not (dead_letter.value or kept)
    if poison.value is None and poison.key is None:
        return (dead_letter.value, dead_letter.key, kept) == (b"", None, poison.headers)
    return (dead_letter.value, dead_letter.key, kept) == (poison.value, poison.key, poison.headers)
