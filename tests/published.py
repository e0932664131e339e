"""Events on the topics as their services publish them, and their tables as an analyst asks them."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import orjson

from ops.analytics.follow import Followed
from ops.analytics.views import VIEWS
from services.settings import Settings
from shared.contracts import Event, circulation, published
from shared.mongo import Document
from shared.names import Names
from shared.outbox import outbox_row
from shared.relay import outbox_producer, send_row
from tests import samples
from tests.contracts.test_samples import samples_of


def recorded(event: Event, hours: float = 0) -> Document:
    """Return an event as its service publishes it."""
    return outbox_row(
        event,
        service=event.publisher,
        now=samples.at(hours),
        correlation_id="a request",
        causation_id="",
    )


def loans(count: int) -> list[Document]:
    return [
        recorded(samples.loan(circulation.LoanCheckedOut, 1, f"loan-{at}"), at)
        for at in range(count)
    ]


def every_sample() -> dict[str, dict[str, tuple[Document, Event]]]:
    """Return an event of each kept sample of each topic, by topic and id."""
    found: dict[str, dict[str, tuple[Document, Event]]] = {}
    for topic, contract in published().items():
        events = [
            contract.model_validate_json(orjson.dumps(payload)) for payload in samples_of(topic)
        ]
        rows = [recorded(event) for event in events]
        found[topic] = {row["_id"]: (row, event) for row, event in zip(rows, events, strict=True)}
    return found


async def publish(settings: Settings, rows: Sequence[Document]) -> None:
    producer = outbox_producer(settings, "a-service")
    await producer.start()
    try:
        names = Names(settings.topic_prefix)
        await asyncio.gather(*[await send_row(producer, row, names) for row in rows])
    finally:
        await producer.stop()


async def publish_repeatedly(
    settings: Settings, rows: Sequence[Document], follow: Callable[[], Awaitable[Followed]]
) -> Followed:
    """Publish rows in tens, each twice, in disorder and without its last; at the end all again.

    Tables follow after each step. Return what the last step found.
    """
    chance = random.Random(7)  # noqa: S311
    for first in range(0, len(rows), 10):
        part = [*rows[first : first + 9], *rows[first : first + 9]]
        chance.shuffle(part)
        await publish(settings, part)
        await follow()
    await publish(settings, rows)
    return await follow()


def ask(folder: Path, query: str) -> list[tuple[Any, ...]]:
    """Return the answer of a folder's views, as an analyst gets it."""
    with duckdb.connect(str(folder / VIEWS), read_only=True) as database:
        return database.execute(query).fetchall()
