"""Dead letters from their creation to retry or discard, with real listener, broker and database."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from ops.broker.dead_letters import Filter, decide, find_dead_letters
from services.gateway.views.store.schema import WHOLE
from services.registry import NAMES
from services.settings import Settings
from shared.bus.dead_letters import NEW, count_waiting
from shared.bus.listener import Listener
from shared.bus.subscriptions import Subscriptions
from shared.bus.topics import dead_letter_topic, ensure_topics
from shared.clock import wall_clock
from shared.contracts.suspensions import FinesSuspended
from shared.declared_indexes import ensure_indexes
from shared.ids import new_id
from shared.indexes import chassis_indexes
from shared.mongo import Database
from shared.owners import Owners
from shared.unit_of_work import Run, UnitOfWork
from tests import patience
from tests.ops.command import carrel
from tests.shared.things import Thing, event_of, process_event
from tests.support import patient_client, until

TOPIC = "fines.suspended"


@pytest.fixture
def settings(mongo_url: str, database: str, kafka: str) -> Settings:
    return Settings(mongo_url=mongo_url, database_prefix=database, kafka=kafka, partitions=3)


@pytest.fixture
async def store(settings: Settings) -> AsyncIterator[Database]:
    client = patient_client(settings.mongo_url)
    found = client[f"{settings.database_prefix}_circulation"]
    await ensure_indexes(found, {**chassis_indexes(1), "things": []})
    await ensure_topics(settings, NAMES)
    yield found
    client.close()


@dataclass
class Consumer:
    """A consumer of circulation that fails until `mended`."""

    mended: bool = False
    received: list[str] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def listening(self, settings: Settings, store: Database) -> AsyncIterator[None]:
        subscriptions = Subscriptions()

        @subscriptions.to(FinesSuspended)
        async def note(event: FinesSuspended, run: Run) -> None:
            if not self.mended:
                raise ValueError("a secret of the message")
            await run(process_event, event)
            self.received.append(event.suspension_id)

        work = UnitOfWork(store, "circulation", settings, Owners(settings, "circulation"))
        task = asyncio.create_task(Listener("circulation", settings, subscriptions, work).run())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


async def send(settings: Settings, *bodies: bytes) -> None:
    """Publish messages, each with its own event id and key."""
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        for number, body in enumerate(bodies):
            headers = [
                ("ce_id", f"e-{number}".encode()),
                ("ce_time", b"2021-02-19T04:00:00Z"),
                ("content-type", b"application/json"),
            ]
            await producer.send_and_wait(TOPIC, body, key=f"k-{number}".encode(), headers=headers)
    finally:
        await producer.stop()


async def all_of(settings: Settings, topic: str, count: int) -> list[tuple[object, ...]]:
    """Return key, value and headers of the first `count` messages of a topic."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        async with patience.within(60):
            records = [await consumer.getone() for _ in range(count)]
            return sorted((r.key, r.value, tuple(r.headers)) for r in records)
    finally:
        await consumer.stop()


async def end_of(settings: Settings, topic: str) -> int:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=settings.kafka)
    await consumer.start()
    try:
        return sum((await consumer.end_offsets(list(consumer.assignment()))).values())
    finally:
        await consumer.stop()


def body(name: str) -> bytes:
    return event_of(Thing(name, 1, 1)).body()


async def make_dead_letters(settings: Settings, store: Database, *bodies: bytes) -> list[str]:
    """Send messages that become dead letters, and return the ids of those."""
    await send(settings, *bodies)

    async def found() -> list[str]:
        waiting = [
            dead_letter.id
            for dead_letter in await find_dead_letters(settings, Filter(["circulation"]))
        ]
        noted = await count_waiting(store)  # a little later than the dead letter
        return waiting if len(waiting) == noted == len(bodies) else []

    async with Consumer().listening(settings, store):
        ids: list[str] = await until(found)
        return ids


async def test_dead_letters_are_listed_shown_retried_once_and_discarded(
    settings: Settings, store: Database
) -> None:
    await make_dead_letters(settings, store, body("a"), body("b"), body("c"))
    listed = await carrel(settings, "dead-letters", "list", "--json")
    found = listed.json()["dead_letters"]
    assert len(found) == 3
    assert {(one["topic"], one["error"], one["tries"]) for one in found} == {
        (TOPIC, "builtins.ValueError", "1")
    }
    assert "secret" not in listed.out

    first = found[0]["id"]
    shown = await carrel(settings, "dead-letters", "show", first)
    assert shown.code == 0
    assert '"suspension_id": "' in shown.out
    assert "carrel-offset" in shown.out
    document = (await carrel(settings, "dead-letters", "show", first, "--json")).json()
    name = document["payload"]["suspension_id"]
    assert document["headers"]["ce_time"] == "2021-02-19T04:00:00Z"

    consumer = Consumer(mended=True)
    async with consumer.listening(settings, store):
        ran = await carrel(settings, "dead-letters", "retry", first)
        assert (ran.code, ran.out) == (0, "1 of 1 dead letters retried.\n")

        async def received() -> bool:
            return consumer.received == [name]

        await until(received)
    sent = await all_of(settings, TOPIC, 4)
    assert max(sent.count(message) for message in sent) == 2, "not as it first came"

    again = await carrel(settings, "dead-letters", "retry", first)
    assert again.code == 1
    assert f"{first} was retried by" in again.err
    unasked = await carrel(settings, "dead-letters", "discard", "--all", "--error", "ValueError")
    assert unasked.code == 1
    assert "2 dead letters would be discarded. To do it, add --yes." in unasked.err
    asked = await carrel(
        settings, "dead-letters", "discard", "--all", "--error", "ValueError", "--yes"
    )
    assert (asked.code, asked.out.splitlines()[-1]) == (0, "2 of 2 dead letters discarded.")
    assert (await carrel(settings, "dead-letters", "list")).out == "No dead letter waits.\n"
    every = (await carrel(settings, "dead-letters", "list", "--all", "--json")).json()
    assert sorted(one["dealt_with"] for one in every["dead_letters"]) == [
        *("discarded", "discarded", "retried")
    ]
    assert await end_of(settings, TOPIC) == 4


async def test_filters_select_dead_letters(settings: Settings, store: Database) -> None:
    await make_dead_letters(settings, store, body("a"), b"{not json")
    every = await find_dead_letters(settings, Filter())
    assert len(every) == 2
    [one] = await find_dead_letters(settings, Filter(error="ValueError"))
    assert await find_dead_letters(settings, Filter(ids=frozenset([one.id]))) == [one]
    assert await find_dead_letters(settings, Filter(topic="loan.overdue")) == []
    assert await find_dead_letters(settings, Filter(["notices"])) == []


async def test_dead_letters_of_all_partitions_are_listed_oldest_first(
    settings: Settings, store: Database
) -> None:
    await make_dead_letters(settings, store, *(body(f"n-{number}") for number in range(20)))
    found = await find_dead_letters(settings, Filter())
    assert len({one.partition for one in found}) > 1
    times = [one.timestamp for one in found]
    assert times == sorted(times)


async def test_five_operators_at_once_send_each_dead_letter_once(
    settings: Settings, store: Database
) -> None:
    await make_dead_letters(settings, store, *(body(f"n-{number}") for number in range(20)))
    chosen = await find_dead_letters(settings, Filter())
    done = await asyncio.gather(
        *(decide(settings, chosen, "retried", f"op-{number}") for number in range(5))
    )
    assert sum(done) == 20
    assert await end_of(settings, TOPIC) == 40
    assert await find_dead_letters(settings, Filter()) == []
    assert await count_waiting(store) == 0


async def test_a_dead_letter_of_a_killed_command_can_be_retried_after_a_minute(
    settings: Settings, store: Database
) -> None:
    await make_dead_letters(settings, store, body("a"))
    [dead_letter] = await find_dead_letters(settings, Filter())
    held = {"_id": dead_letter.decision_key, "state": "sending", "by": "gone", "at": wall_clock()}
    await store.dead_letters.replace_one({"_id": held["_id"]}, held)
    assert await decide(settings, [dead_letter], "retried", "me") == 0
    [listed] = await find_dead_letters(settings, Filter())
    assert (listed.dealt_with, listed.dealt_by) == ("sending", "gone")

    earlier = {"$set": {"at": wall_clock() - timedelta(seconds=61)}}
    await store.dead_letters.update_one({"_id": dead_letter.decision_key}, earlier)
    assert await decide(settings, [dead_letter], "retried", "me") == 1
    [decision] = await store.dead_letters.find({}).to_list(None)
    assert (decision["state"], decision["by"]) == ("retried", "me")
    assert await end_of(settings, TOPIC) == 2


async def test_a_dead_letter_at_an_offset_of_a_lost_log_waits(
    settings: Settings, store: Database
) -> None:
    await make_dead_letters(settings, store, body("a"))
    [dead_letter] = await find_dead_letters(settings, Filter())
    before = f"{dead_letter.partition}-{dead_letter.offset}-{dead_letter.timestamp - 1}"
    await store.dead_letters.insert_one({"_id": before, "state": "retried", "by": "x", "at": None})
    assert await find_dead_letters(settings, Filter()) == [dead_letter]


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        pytest.param(b"\xff\xfe\x00", "ff fe 00", id="bytes"),
        pytest.param(b"\x1b[31mred", "\\x1b[31mred", id="a terminal's commands"),
        pytest.param('{"\u5716": "\x7f\u009b2J"}'.encode(), "\u5716", id="JSON with controls"),
        pytest.param(b"", "(empty)", id="nothing"),
    ],
)
async def test_any_payload_is_shown_without_control_characters(
    settings: Settings, store: Database, payload: bytes, shown: str
) -> None:
    [dead_letter_id] = await make_dead_letters(settings, store, payload)
    ran = await carrel(settings, "dead-letters", "show", dead_letter_id)
    assert ran.code == 0
    assert shown in ran.out
    assert all(c.isprintable() or c == "\n" for c in ran.out)


async def test_an_invalid_dead_letter_command_changes_nothing(
    settings: Settings, store: Database
) -> None:
    [dead_letter_id] = await make_dead_letters(settings, store, body("a"))
    absent = await carrel(settings, "dead-letters", "retry", dead_letter_id, "circulation/0-99")
    assert absent.code == 1
    assert "circulation/0-99. Nothing was done." in absent.err
    for wrong in ((), (dead_letter_id, "--all"), ("0-1",), ("--all", "--service", "library")):
        assert (await carrel(settings, "dead-letters", "retry", *wrong)).code == 2
    assert await store.dead_letters.distinct("state") == [NEW]
    assert await end_of(settings, TOPIC) == 1


async def lay(settings: Settings, service: str, event_id: str) -> None:
    """Add a dead letter of the service, for an event recorded at the time in its id."""
    headers = [("ce_id", event_id.encode()), ("carrel-topic", TOPIC.encode())]
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka)
    await producer.start()
    try:
        await producer.send_and_wait(dead_letter_topic(service), body("a"), headers=headers)
    finally:
        await producer.stop()


@pytest.mark.parametrize("known", ["forgotten", "begun"])
async def test_a_dead_letter_older_than_the_tombstones_is_not_sent_to_the_gateway(
    settings: Settings, store: Database, known: str
) -> None:
    old, young = "01700000-0000-7000-8000-000000000000", new_id()
    since = wall_clock() - timedelta(days=1)
    views = store.client[f"{settings.database_prefix}_gateway"].account_views
    await views.insert_one({"_id": WHOLE, known: since})
    await lay(settings, "gateway", old)
    await lay(settings, "gateway", young)
    await lay(settings, "notices", old)
    by_time = {
        one.recorded_at is not None and one.recorded_at < since: one.id
        for one in await find_dead_letters(settings, Filter(["gateway"]))
    }

    refused = await carrel(settings, "dead-letters", "retry", "--all", "--yes")
    assert refused.code == 1
    assert f"{by_time[True]} is older than the tombstones of the account views" in refused.err
    assert await end_of(settings, TOPIC) == 0
    assert (await carrel(settings, "dead-letters", "retry", by_time[False])).code == 0
    others = await carrel(
        settings, "dead-letters", "retry", "--all", "--service", "notices", "--yes"
    )
    assert (others.code, "carrel doctor --views" in others.err) == (0, True)
    assert await end_of(settings, TOPIC) == 2
