"""`carrel restore`: find changes that restored databases lack, and continue after a restore.

After a restore the topics are ahead: they hold events of changes that the databases no longer have.
Decision 070 describes the solution; docs/operations.md has the whole procedure.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import typer
from aiokafka import ConsumerRecord
from pymongo import UpdateOne

from ops.console import AsJson, print_json, print_table, refuse, told_in_words, working
from ops.offsets import Positions, heard
from ops.replay import replay
from ops.rewind import commit, is_left
from ops.target import Data, settings_of, settings_to_write
from services.gateway.views.store.builds import note_restored
from services.settings import Settings
from shared.clock import wall_clock
from shared.contracts import published
from shared.ids import time_of
from shared.mongo import Client, connect

BATCH = 1000
SHOWN = 20
EARLY = timedelta(hours=1)
"""Events whose outbox rows may expire within this time are not checked."""
KEPT_IN = {
    "patron": "patrons",
    "preferences": "preferences",
    "title": "titles",
    "loan": "loans",
    "hold": "holds",
    "fine": "charges",
    "fines": "suspensions",
    "activity": "activities",
    "recording": "activities",
    "registration": "registrations",
    "branch": "branches",
    "notice": "notices",
    "notification": "notifications",
}
"""The publisher's collection with the resource of a topic, by the topic's first word."""

app = typer.Typer(no_args_is_help=True)


@dataclass(frozen=True)
class Lost:
    """An event on its topic but in no outbox: its change was lost with the database."""

    event_id: str
    topic: str
    subject: str
    """Id of the resource that had changed."""
    key: str
    """Key of the message: for most topics the patron."""
    version: int
    recorded_at: datetime

    @property
    def publisher(self) -> str:
        """The service that made the change."""
        return published()[self.topic].publisher


@app.callback()
def restore() -> None:
    """Find lost changes after a restore of the databases, and continue from it."""


@app.command()
def check(as_json: AsJson = False, data: Data = None) -> None:
    """List the changes on topics that the databases lack; exit 1 if there are any.

    Reads every event that the outboxes should still have. It changes nothing.
    """
    settings = settings_of(data)
    with told_in_words(settings), working("Comparing the topics with the outboxes"):
        lost = asyncio.run(find_lost(settings))
    _tell(lost, as_json)
    raise typer.Exit(1 if lost else 0)


@app.command()
def finish(as_json: AsJson = False, data: Data = None) -> None:
    """Continue with the restored databases. All services must be stopped.

    Raises the versions of existing resources to those on topics, records the
    lost changes, sets the services' positions to the ends of the topics, and
    publishes the outboxes' events again. Safe to run again. Then start the
    services, and run: carrel rebuild gateway
    """
    settings = settings_to_write(data)
    with told_in_words(settings):
        lost = asyncio.run(go_on(settings))
    _tell(lost, as_json)
    if not as_json:
        typer.echo("Start the services, then run: carrel rebuild gateway")


def _tell(lost: Sequence[Lost], as_json: bool) -> None:
    if as_json:
        print_json({"lost": [asdict(event) for event in lost]})
        return
    if not lost:
        typer.echo("The databases have every change that topics tell of.")
        return
    rows = [(e.topic, e.subject, e.version, e.recorded_at.isoformat()[:19]) for e in lost[:SHOWN]]
    print_table(("topic", "of", "version", "recorded at"), rows)
    if len(lost) > SHOWN:
        typer.echo(f"… and {len(lost) - SHOWN} more; --json lists all.")
    print_table(("topic", "events"), sorted(Counter(event.topic for event in lost).items()))
    typer.echo(f"{len(lost)} changes were lost with the databases.")


async def find_lost(settings: Settings) -> list[Lost]:
    """Return every lost event that is not recorded yet, in the order of the topics."""
    async with _opened(settings) as (client, positions):
        found = []
        for topic in published():
            async with aclosing(positions.records(topic)) as records:
                batch: list[Lost] = []
                async for record in records:
                    batch += _in_question(settings, record)
                    if len(batch) == BATCH:
                        found += await _not_kept(settings, client, batch)
                        batch = []
                found += await _not_kept(settings, client, batch)
        return found


async def lost_at_ends(settings: Settings) -> list[Lost]:
    """Return the lost events among the last of each partition: enough to notice a restore."""
    async with _opened(settings) as (client, positions):
        last = await positions.last_records(list(published()))
        asked = [event for record in last for event in _in_question(settings, record)]
        return await _not_kept(settings, client, asked)


async def go_on(settings: Settings) -> list[Lost]:
    """Do the work of `carrel restore finish`; return the lost events."""
    async with _opened(settings) as (_, positions):
        for service in heard():
            if not await is_left(positions, service):
                refuse(f"{service} still consumes. Stop all services first. Nothing was changed.")
    lost = await find_lost(settings)
    async with _opened(settings) as (client, positions):
        await _raise_versions(settings, client, lost)
        await _record(settings, client, lost)
        ends = await positions.ends()
        for service, topics in heard().items():
            await commit(
                settings, service, {p: end for p, end in ends.items() if p.topic in topics}
            )
        await note_restored(
            client[f"{settings.database_prefix}_gateway"],
            {f"{partition.topic}/{partition.partition}": end for partition, end in ends.items()},
        )
    for service in dict.fromkeys(contract.publisher for contract in published().values()):
        await replay(settings, service)
    return lost


async def recorded_as_lost(client: Client, settings: Settings) -> AsyncIterator[Lost]:
    """Yield the events that earlier runs of `carrel restore finish` recorded as lost."""
    for service in dict.fromkeys(contract.publisher for contract in published().values()):
        database = client[f"{settings.database_prefix}_{service}"]
        async for row in database.lost_events.find({}):
            yield Lost(event_id=row.pop("_id"), **row)


def _in_question(settings: Settings, record: ConsumerRecord[bytes, bytes]) -> Iterable[Lost]:
    """Yield the event of a message if the outbox should still have it and it can be read."""
    headers = dict(record.headers)
    event_id = (headers.get("ce_id") or b"").decode(errors="replace")
    recorded_at = time_of(event_id)
    since = wall_clock() - timedelta(days=settings.outbox_days) + EARLY
    if recorded_at is None or min(recorded_at, _instant(record.timestamp)) < since:
        return
    try:
        version = int(orjson.loads(record.value or b"")["version"])
    except (ValueError, TypeError, KeyError):
        return
    yield Lost(
        event_id,
        record.topic,
        (headers.get("ce_subject") or b"").decode(errors="replace"),
        (record.key or b"").decode(errors="replace"),
        version,
        recorded_at,
    )


async def _not_kept(settings: Settings, client: Client, asked: Sequence[Lost]) -> list[Lost]:
    """Return the events that are neither in an outbox nor recorded as lost."""
    ids: dict[str, list[str]] = defaultdict(list)
    for event in asked:
        ids[event.publisher].append(event.event_id)
    kept: set[str] = set()
    for service, wanted in ids.items():
        database = client[f"{settings.database_prefix}_{service}"]
        for collection in (database.outbox, database.lost_events):
            rows = collection.find({"_id": {"$in": wanted}}, {"_id": 1})
            kept |= {row["_id"] async for row in rows}
    # A message may be on its topic more than once.
    return list({e.event_id: e for e in asked if e.event_id not in kept}.values())


async def _raise_versions(settings: Settings, client: Client, lost: Sequence[Lost]) -> None:
    """Raise the versions of existing resources to those on topics: none is used twice."""
    highest: dict[tuple[str, str, str], int] = defaultdict(int)
    for event in lost:
        collection = KEPT_IN[event.topic.partition(".")[0]]
        place = (event.publisher, collection, event.subject)
        highest[place] = max(highest[place], event.version)
    writes: dict[tuple[str, str], list[UpdateOne]] = defaultdict(list)
    for (service, collection, subject), version in highest.items():
        older = {"_id": subject, "version": {"$lt": version}}
        writes[service, collection].append(UpdateOne(older, {"$set": {"version": version}}))
    for (service, collection), updates in writes.items():
        database = client[f"{settings.database_prefix}_{service}"]
        await database[collection].bulk_write(updates, ordered=False)


async def _record(settings: Settings, client: Client, lost: Sequence[Lost]) -> None:
    rows: dict[str, list[UpdateOne]] = defaultdict(list)
    for event in lost:
        told: dict[str, Any] = asdict(event)
        known = {"_id": told.pop("event_id")}
        rows[event.publisher].append(UpdateOne(known, {"$setOnInsert": told}, upsert=True))
    for service, updates in rows.items():
        database = client[f"{settings.database_prefix}_{service}"]
        await database.lost_events.bulk_write(updates, ordered=False)


def _instant(milliseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[tuple[Client, Positions]]:
    client: Client = connect(settings.mongo_url)
    try:
        async with Positions(settings.kafka, settings.topic_prefix) as positions:
            yield client, positions
    finally:
        client.close()
