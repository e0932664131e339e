"""Events a second that one relay publishes, and that the gateway processes, against bare writes.

    .venv/bin/python -m benchmarks.event_throughput [--json] [--events 20000] [--kafka apache]

A relay publishes the events from an outbox once, before the rounds. In each round a listener with a
new group processes them one at a time and then in batches, into empty views that already have the
titles; and the driver writes the same updates in bulks of the same size, without reading, decoding
or look-ups.
Rounds alternate, so that a noisy machine disturbs all three. The process has the loop and the
garbage collection of a service. No test asserts the result.
"""

import asyncio
import contextlib
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path

import uvloop

from benchmarks.show import machine, options, show
from ops.infrastructure.embedded import Infrastructure, embedded
from ops.serve import COLLECT_AFTER
from services.gateway.consumers import subscriptions
from services.gateway.views.store import writes
from services.gateway.views.store.schema import INDEXES, TABLES, Row
from services.registry import NAMES
from services.settings import Settings
from shared.bus import processing
from shared.bus.listener import Listener
from shared.bus.subscriptions import Subscriptions
from shared.bus.topics import ensure_topics
from shared.contracts import Event, accounts, circulation, notices
from shared.declared_indexes import Indexes, ensure_indexes
from shared.ids import new_id
from shared.indexes import chassis_indexes
from shared.mongo import Client, Database, Document, connect
from shared.outbox import outbox_row
from shared.owners import Owners
from shared.relay import Relay, outbox_producer
from shared.supervision import Commits
from shared.telemetry import configure_logs
from shared.unit_of_work import Origin, UnitOfWork
from tests import samples
from tests.support import until

ROUNDS = 3
TITLES = [f"title-{number}" for number in range(500)]
ONE_BY_ONE_SHARE = 0.1
"""Share of the events processed in a one-by-one round, which is that much slower."""
AT_ONCE = (1, processing.BATCH)


def library_events(count: int) -> list[tuple[Event, datetime]]:
    """Return a library's events: ten for each patron, all patrons in parallel."""
    patrons = [f"patron-{number}" for number in range(count // 10)]
    days: list[list[Event]] = []

    def loans(kind: type[circulation.LoanSnapshot], version: int, which: int) -> list[Event]:
        return [
            samples.loan(
                kind,
                version,
                f"{patron}-{which}",
                patron_id=patron,
                title_id=TITLES[(number + which) % len(TITLES)],
            )
            for number, patron in enumerate(patrons)
        ]

    days.append([samples.patron(accounts.PatronRegistered, 1, patron_id=p) for p in patrons])
    days.extend(loans(circulation.LoanCheckedOut, 1, which) for which in range(4))
    days.append(loans(circulation.LoanDueDateChanged, 2, 0))
    days.append([samples.preferences(1, patron_id=p) for p in patrons])
    days.append(loans(circulation.LoanRenewed, 3, 0))
    days.append([samples.returned(2, f"{p}-1", patron_id=p) for p in patrons])
    days.append(
        [
            notices.NotificationDelivered(
                version=1,
                notification_id=f"notification-{p}",
                patron_id=p,
                kind="loan.overdue",
                read=False,
            )
            for p in patrons
        ]
    )
    return [(event, samples.at(hours)) for hours, day in enumerate(days) for event in day]


async def publish(
    client: Client, settings: Settings, events: Sequence[tuple[Event, datetime]]
) -> float:
    """Publish the events as one relay does, from an outbox; return the events a second."""
    await ensure_topics(settings, NAMES)
    async with empty_database(client, chassis_indexes(1)) as database:
        rows = [
            outbox_row(event, service=event.publisher, now=at, correlation_id="", causation_id="")
            for event, at in events
        ]
        await database.outbox.insert_many(rows)
        relay = Relay(database, settings, "benchmark", Commits())
        producer = outbox_producer(settings, "benchmark")
        await producer.start()
        try:
            first = await relay.drain(producer)  # opens connections and asks where topics are
            started = time.perf_counter()
            while await relay.drain(producer):
                pass
            return (len(rows) - first) / (time.perf_counter() - started)
        finally:
            await producer.stop()


@contextlib.asynccontextmanager
async def empty_database(client: Client, indexes: Indexes) -> AsyncIterator[Database]:
    """Yield a database with these indexes, and drop it afterwards."""
    database = client[f"bench_{new_id().replace('-', '')}"]
    await ensure_indexes(database, indexes)
    yield database
    await client.drop_database(database.name)


@contextlib.asynccontextmanager
async def empty_views(client: Client) -> AsyncIterator[Database]:
    """Yield views that have the titles and nothing else."""
    async with empty_database(client, INDEXES) as database:
        known = [Row("title", key, {"version": 1, "title": f"Title {key}"}) for key in TITLES]
        await writes.apply(database, known)
        yield database


async def processing_rate(client: Client, settings: Settings, count: int, at_once: int) -> float:
    """Return the events a second of the first `count` that a new group processes."""
    processing.BATCH = at_once
    async with empty_views(client) as database:
        part = (database, "gateway", settings, subscriptions)
        return await rate_of_listener(*part, count=count, clock=time.perf_counter)


async def rate_of_listener(
    database: Database,
    service: str,
    settings: Settings,
    heard: Subscriptions,
    *,
    count: int,
    clock: Callable[[], float],
) -> float:
    """Return the events for a second of a clock that a listener handles in a new group."""
    owners = Owners(settings, service)
    work = UnitOfWork(database, service, settings, owners)
    listener = Listener(f"{service}-{new_id()}", settings, heard, work)
    running = asyncio.create_task(listener.run())

    async def at_least(wanted: int) -> int:
        done = listener.processor.processed
        return done if done >= wanted else 0

    try:
        first = await until(lambda: at_least(1), within=60, every=0.001)
        started = clock()
        # Seldom: a thousand looks a second would take a tenth of the listener's time.
        last = await until(lambda: at_least(count), within=600, every=0.01)
        rate: float = (last - first) / (clock() - started)
        return rate
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await owners.close()


async def writing_rate(client: Client, events: Sequence[tuple[Event, datetime]]) -> float:
    """Return the events a second when the bare driver writes their updates."""
    bulks: list[dict[str, list[object]]] = []
    for start in range(0, len(events), AT_ONCE[-1]):
        bulk: dict[str, list[object]] = {}
        for event, at in events[start : start + AT_ONCE[-1]]:
            for change in subscriptions.by_topic[event.topic].handler(event, Origin(at)):
                if isinstance(change, Row):
                    write = writes._row_write(change)  # noqa: SLF001 - the same updates
                    bulk.setdefault(TABLES[change.kind], []).append(write)
                else:
                    title = {"title": "A title", "version": 1}
                    write = writes._view_write(change, title)  # noqa: SLF001 - as above
                    bulk.setdefault("account_views", []).append(write)
        bulks.append(bulk)
    async with empty_views(client) as database:
        started = time.perf_counter()
        for bulk in bulks:
            for name, updates in bulk.items():
                await database[name].bulk_write(updates, ordered=False)  # type: ignore[arg-type]
        return len(events) / (time.perf_counter() - started)


async def measure(settings: Settings, count: int) -> Document:
    """Return the medians of alternating rounds, and of their ratios."""
    client = connect(settings.mongo_url)
    events = library_events(count)
    relayed = await publish(client, settings, events)
    gc.freeze()  # a service keeps no list of its events
    single, batches, bare = [], [], []
    for _ in range(ROUNDS):
        single.append(
            await processing_rate(client, settings, int(len(events) * ONE_BY_ONE_SHARE), AT_ONCE[0])
        )
        batches.append(await processing_rate(client, settings, len(events), AT_ONCE[-1]))
        bare.append(await writing_rate(client, events))
    client.close()
    gc.unfreeze()
    return {
        "machine": machine(),
        "events": len(events),
        "relayed_per_second": round(relayed),
        "one_by_one_per_second": round(statistics.median(single)),
        "batches_per_second": round(statistics.median(batches)),
        "bare_per_second": round(statistics.median(bare)),
        "ratio_to_one_by_one": round(
            statistics.median(b / s for b, s in zip(batches, single, strict=True)), 1
        ),
        "ratio_to_bare": round(
            statistics.median(w / b for w, b in zip(bare, batches, strict=True)), 2
        ),
        "rounds": [
            [round(rate) for rate in rates] for rates in zip(single, batches, bare, strict=True)
        ],
    }


@contextlib.contextmanager
def servers(kafka: str) -> Iterator[tuple[Infrastructure, Mapping[str, str]]]:
    """Run a database and a broker; yield them with the environment of a service on them."""
    configure_logs("benchmark", "0", "warning")
    with (
        tempfile.TemporaryDirectory() as folder,
        embedded(Path(folder), mongo_port=None, kafka_port=None, broker=kafka) as started,
    ):
        where = {"CARREL_MONGO_URL": started.mongo_url, "CARREL_KAFKA": started.kafka}
        yield started, {**started.service_environment, **where}


def main() -> None:
    """Start a database and a broker, measure and print."""
    asked = options(kafka="embedded", events=20_000)
    with servers(asked.kafka) as (_, environment):
        gc.set_threshold(*COLLECT_AFTER)
        found = uvloop.run(measure(Settings.from_environment(environment), asked.events))
    show(found, as_json=asked.json)


if __name__ == "__main__":
    main()
