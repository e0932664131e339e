"""Events for a second of processor at services that handle each in a transaction.

    .venv/bin/python -m benchmarks.handlers [--json] [--events 1000] [--kafka apache]

The events are on their topics before a round begins. In each round a listener with a new group
handles them one by one and then together. A bare loop of the driver reads and writes the same in a
transaction for each, with the events in memory. Rounds alternate. The processor time is that of
this process, the database and the broker.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
from aiokafka import AIOKafkaConsumer

from benchmarks.at_rest import seconds_of
from benchmarks.event_throughput import publish, rate_of_listener, servers
from benchmarks.show import machine, options, show
from ops.infrastructure.embedded import Infrastructure
from services.circulation.borrowers import consumers as borrowers_consumers
from services.circulation.borrowers import store as borrowers_store
from services.notices import app as notices
from services.notices.messages import consumers as messages_consumers
from services.notices.settings import Settings
from shared.bus import processing
from shared.bus.subscriptions import Subscriptions
from shared.clock import wall_clock
from shared.contracts import Event
from shared.contracts.events import RegistrationConfirmed
from shared.declared_indexes import Indexes, ensure_indexes
from shared.ids import new_id
from shared.indexes import chassis_indexes
from shared.mongo import MAJORITY, SNAPSHOT, Client, ClientSession, Database, Document, connect
from tests import samples

ROUNDS = 3
ONE_BY_ONE = 1

Write = Callable[[Database, ClientSession, Document], Awaitable[None]]


@dataclass(frozen=True)
class Case:
    """Events of one type at one service, and the reads and writes that each needs."""

    service: str
    subscriptions: Subscriptions
    indexes: Indexes
    event: Callable[[int], Event]
    write: Write


async def write_title(database: Database, session: ClientSession, event: Document) -> None:
    """Store a title as notices does."""
    key = event["title_id"]
    await database.titles.find_one({"_id": key}, {"version": 1}, session=session)
    title = {"_id": key, "version": 1, "name": event["title"]}
    await database.titles.insert_one(title, session=session)


async def write_reader(database: Database, session: ClientSession, event: Document) -> None:
    """Store a reader's choice as circulation does."""
    key = event["patron_id"]
    await database.readers.find_one({"_id": key}, {"version": 1}, session=session)
    reader = {"_id": key, "keeps_history": True, "version": 1}
    await database.readers.insert_one(reader, session=session)


async def write_notification(database: Database, session: ClientSession, event: Document) -> None:
    """Put a notification into an inbox as notices does."""
    patron, key = event["patron_id"], event["registration_id"]
    await database.patrons.find_one({"_id": patron}, session=session)
    await database.notifications.find_one({"_id": key}, session=session)
    await database.patrons.insert_one({"_id": patron, "version": 1}, session=session)
    notification = {"_id": key, "patron_id": patron, "kind": "registration.confirmed", "version": 1}
    await database.notifications.insert_one(notification, session=session)
    await database.push_subscriptions.find({"patron_id": patron}, session=session).to_list(None)
    await database.webhooks.find({"topics": "none"}, session=session).to_list(None)
    row = {"_id": new_id(), "body": orjson.dumps(event), "headers": {}, "pending": True}
    await database.outbox.insert_one(row, session=session)


CASES = (
    Case(
        "notices",
        messages_consumers.subscriptions,
        notices.INDEXES,
        lambda number: samples.title(1, "A title", f"title-{number}"),
        write_title,
    ),
    Case(
        "notices",
        messages_consumers.subscriptions,
        notices.INDEXES,
        lambda number: samples.registration(
            RegistrationConfirmed,
            1,
            f"registration-{number}",
            patron_id=f"patron-{number}",
            waited=True,
        ),
        write_notification,
    ),
    Case(
        "circulation",
        borrowers_consumers.subscriptions,
        borrowers_store.INDEXES,
        lambda number: samples.preferences(1, patron_id=f"patron-{number}", keep_history=True),
        write_reader,
    ),
)


class Processor:
    """The processor time of this process, the database and the broker, in seconds."""

    def __init__(self, infrastructure: Infrastructure) -> None:
        self._pids = [child.pid for child in infrastructure.children if child.pid is not None]

    def seconds(self) -> float:
        """Return the time taken until now."""
        return time.process_time() + sum(map(seconds_of, self._pids))


async def handled(
    client: Client, settings: Settings, case: Case, count: int, processor: Processor
) -> float:
    """Return the events for a second of processor that a listener handles in a new group."""
    database = client[f"bench_{new_id().replace('-', '')}"]
    await ensure_indexes(database, {**chassis_indexes(1), **case.indexes})
    part = (database, case.service, settings, case.subscriptions)
    rate = await rate_of_listener(*part, count=count, clock=processor.seconds)
    await client.drop_database(database.name)
    return rate


async def bare(
    client: Client, settings: Settings, case: Case, count: int, processor: Processor
) -> float:
    """Return the events for a second of processor of a loop without Carrel."""
    database = client[f"bench_{new_id().replace('-', '')}"]
    await ensure_indexes(database, {**chassis_indexes(1), **case.indexes})
    consumer = AIOKafkaConsumer(
        case.event(0).topic, bootstrap_servers=settings.kafka, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        records = [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()  # it would ask the embedded broker for more all the time
    started = processor.seconds()
    for record in records:
        await _transaction(database, dict(record.headers), orjson.loads(record.value), case)
    rate = count / (processor.seconds() - started)
    await client.drop_database(database.name)
    return rate


async def _transaction(
    database: Database, headers: dict[str, bytes], event: Document, case: Case
) -> None:
    key = headers["ce_id"].decode()
    async with await database.client.start_session() as session:
        session.start_transaction(read_concern=SNAPSHOT, write_concern=MAJORITY)
        if await database.inbox.find_one({"_id": key}, session=session):
            await session.abort_transaction()
            return
        await case.write(database, session, event)
        await database.inbox.insert_one({"_id": key, "at": wall_clock()}, session=session)
        await session.commit_transaction()


async def measure(infrastructure: Infrastructure, settings: Settings, count: int) -> Document:
    """Return, for each case, the medians of alternating rounds and of their ratios."""
    client = connect(settings.mongo_url)
    processor = Processor(infrastructure)
    together = processing.TOGETHER
    found: Document = {"machine": machine()}
    for case in CASES:
        await publish(
            client, settings, [(case.event(n), samples.at(n / 100)) for n in range(count)]
        )
        rounds = []
        for _ in range(ROUNDS):
            rates = []
            for at_once in (ONE_BY_ONE, together):
                processing.TOGETHER = at_once
                rates.append(await handled(client, settings, case, count, processor))
            rates.append(await bare(client, settings, case, count, processor))
            rounds.append(rates)
        found[f"{case.event(0).topic} at {case.service}"] = _medians(rounds)
    client.close()
    return found


def _medians(rounds: Sequence[Sequence[float]]) -> Document:
    single, together, loop = (
        round(statistics.median(rates)) for rates in zip(*rounds, strict=True)
    )
    return {
        "one_by_one": single,
        "together": together,
        "bare": loop,
        "one_by_one_to_bare": round(statistics.median(a / c for a, _, c in rounds), 2),
        "together_to_bare": round(statistics.median(b / c for _, b, c in rounds), 2),
    }


def main() -> None:
    """Start a database and a broker, measure and print."""
    asked = options(kafka="embedded", events=1_000)
    with servers(asked.kafka) as (infrastructure, environment):
        settings = Settings.from_environment(environment)
        found = asyncio.run(measure(infrastructure, settings, asked.events))
    show(found, as_json=asked.json)


if __name__ == "__main__":
    main()
