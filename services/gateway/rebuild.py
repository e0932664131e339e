"""The views built anew beside those that are served, then put in their place.

Topics keep their events for weeks, accounts live for years: so the owners are asked for what they
have now, and the topics for what has happened since they were asked. Versions decide, as always,
so it does not matter which of the two is ahead. Nothing is published and no owner is written to.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from fastapi import FastAPI
from prometheus_client import Gauge
from pydantic import BaseModel
from pymongo.errors import PyMongoError

from services.gateway import store
from services.gateway.consumers import hears
from services.gateway.projection import fold
from shared.contracts import Event, accounts, circulation, events, notices
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.lease import give_up_lease, hold_lease
from shared.mongo import Database
from shared.owners import OwnerAway, Owners
from shared.settings import Settings

log = structlog.get_logger()

VIEWS_WHOLE = Gauge("carrel_views_whole", "1 where the account views can be shown")

LEASE = "rebuild"
LEASE_SECONDS = 30
LOOK_SECONDS = 1.0
SILENCE_MS = 15_000
MOST_ROUNDS = 20
"""How often the topics are read to their ends before the new views take their place anyway."""
MOST_TRIES = 5
"""Of a question to an owner."""
TRY_SECONDS = 0.5

PARTS: Sequence[tuple[str, str, type[Event]]] = (
    ("accounts", "patrons", accounts.PatronSnapshot),
    ("accounts", "preferences", accounts.PreferencesChanged),
    ("circulation", "titles", circulation.TitleCatalogued),
    ("circulation", "loans", circulation.LoanSnapshot),
    ("circulation", "holds", circulation.HoldSnapshot),
    ("circulation", "charges", circulation.ChargeSnapshot),
    ("circulation", "suspensions", circulation.SuspensionSnapshot),
    ("events", "activities", events.ActivitySnapshot),
    ("events", "registrations", events.RegistrationSnapshot),
    ("notices", "branches", notices.BranchSnapshot),
    ("notices", "notices", notices.NoticePublished),
    ("notices", "notifications", notices.NotificationSnapshot),
)
"""What the views are made of: the owner, the kind of resource, and the form it is told in."""


class Underway(Exception):
    """Another process is building the views anew."""


@dataclass
class Progress:
    """What has been done so far."""

    resources: Counter[str] = field(default_factory=Counter)
    """By kind, as the owners told them."""
    events: int = 0
    """Read from the topics."""


Tell = Callable[[Progress], None]


class _Page(BaseModel):
    as_of: datetime
    items: list[dict[str, object]]
    next: str | None


async def keep_whole(app: FastAPI) -> None:
    """Build the views where there are none, as after their loss, or where a new form is needed."""
    settings: Settings = app.state.settings
    database: Database = app.state.database
    while True:
        if "consumers" in settings.roles:
            try:
                if await _form(database) < store.FORM:
                    done = await rebuild(database, settings, app.state.owners)
                    log.info("views built", resources=done.resources.total(), events=done.events)
            except (Underway, store.BuildLost):
                pass
            except (OwnerAway, PyMongoError, KafkaError, OSError) as error:
                what = error.service if isinstance(error, OwnerAway) else type(error).__name__
                log.warning("views wait to be built", waits_for=what)
        await asyncio.sleep(LOOK_SECONDS)


async def _form(database: Database) -> int:
    found = await store.form(database)
    VIEWS_WHOLE.set(found is not None)
    return found or 0


async def rebuild(
    database: Database, settings: Settings, owners: Owners, tell: Tell = lambda _: None
) -> Progress:
    """Build the views anew and serve them; those of before are served until then.

    `tell` hears of each step. Safe to run again after it was ended anywhere. Raises Underway,
    BuildLost, OwnerAway, and what the driver and the broker's client raise; the served views are
    then as they were.
    """
    build = new_id()
    if not await hold_lease(database, LEASE, build, LEASE_SECONDS):
        raise Underway
    try:
        async with _Topics(settings) as topics:
            building = await store.begin_build(database, build)
            builder = _Builder(database, building, build, tell)
            for service, kind, contract in PARTS:
                await builder.ask(owners, service, kind, contract)
            for _ in range(MOST_ROUNDS):
                await builder.read(topics)
                if not await topics.behind():
                    break
            failpoint("rebuild.built")
            await store.finish_build(building)
            # What the consumers wrote to the old views while the last events were read.
            builder.views = database
            await builder.read(topics)
            return builder.progress
    finally:
        with contextlib.suppress(PyMongoError):
            await store.drop_build(database, build)
            await give_up_lease(database, LEASE, build)


class _Builder:
    """Writes one build, and keeps the lease meanwhile."""

    def __init__(
        self, database: Database, views: store.Collections, build: str, tell: Tell
    ) -> None:
        self.views = views
        self.progress = Progress()
        self._database = database
        self._build = build
        self._tell = tell

    async def ask(self, owners: Owners, service: str, kind: str, contract: type[Event]) -> None:
        """Take over all that an owner has of one kind."""
        async for count, changes in told_by(owners, service, kind, contract):
            await self._apply(changes)
            self.progress.resources[kind] += count
            self._tell(self.progress)

    async def read(self, topics: "_Topics") -> None:
        """Take over what has happened, up to the end of the topics as it is now."""
        async for records in topics.up_to_now():
            await self._apply([change for record in records for change in _changes_of(record)])
            self.progress.events += len(records)
            self._tell(self.progress)

    async def _apply(self, changes: Sequence[store.Change]) -> None:
        if not await hold_lease(self._database, LEASE, self._build, LEASE_SECONDS):
            raise Underway
        await store.apply(self.views, changes)


def is_of_a_patron(contract: type[Event]) -> bool:
    """Whether such resources belong to patrons: their owner can be asked for those of one."""
    return "patron_id" in contract.model_fields


async def told_by(
    owners: Owners, service: str, kind: str, contract: type[Event], **only: str
) -> AsyncIterator[tuple[int, list[store.Change]]]:
    """All that an owner has of a kind, in chunks: how many, and their changes. Raises OwnerAway.

    `only` may be a `patron`, or a `sample`: so many, picked at random.
    """
    after: str | None = ""
    while after is not None:
        answer = await _asked(owners, service, f"/v1/snapshots/{kind}", {"after": after, **only})
        try:
            page = _Page.model_validate(answer)
            told = [contract.model_validate(item) for item in page.items]
        except ValueError as error:
            log.warning("owner answers garbage", owner=service, kind=kind)
            raise OwnerAway(service) from error
        changes = [
            replace(change, source=service) if isinstance(change, store.ViewChange) else change
            for event in told
            for change in fold(event, page.as_of)
        ]
        yield len(told), changes
        after = page.next


async def _asked(owners: Owners, service: str, path: str, params: Mapping[str, str]) -> object:
    for left in reversed(range(MOST_TRIES)):
        try:
            return await owners.get(service, path, params=params)
        except OwnerAway:
            if not left:
                raise
        await asyncio.sleep(TRY_SECONDS)
    raise OwnerAway(service)


def _changes_of(record: ConsumerRecord[bytes, bytes]) -> Sequence[store.Change]:
    """As the consumers fold it. What they bury is passed over."""
    try:
        return hears.changes(record)
    except ValueError:
        return ()


class _Topics:
    """What the gateway hears, from where it stood when the build began."""

    def __init__(self, settings: Settings) -> None:
        self._bootstrap = settings.kafka.split(",")
        self._reader = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._next: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        await self._reader.start()
        try:
            await self._note_positions()
        except BaseException:
            await self._reader.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def _note_positions(self) -> None:
        """Where the consumers stand: what they have still to take in may be older than the answers.

        A loan that was renewed and returned is told so on two topics. Whoever starts at their ends
        may hear later, from a consumer that lags, of the renewal before the return.
        """
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        await admin.start()
        try:
            described = await admin.describe_topics()
            committed = await admin.list_consumer_group_offsets("gateway")
        finally:
            await admin.close()
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            if topic["topic"] in hears.handlers
            for partition in topic["partitions"]
        ]
        starts = await self._reader.beginning_offsets(partitions)
        for partition in partitions:
            stored = committed.get(partition)
            known = stored.offset if stored is not None else -1
            self._next[partition] = max(known, starts[partition])
        self._reader.assign(partitions)
        for partition, offset in self._next.items():
            self._reader.seek(partition, offset)

    async def behind(self) -> int:
        """How many events are still to be read."""
        ends = await self._reader.end_offsets(list(self._next))
        return sum(max(0, ends[partition] - at) for partition, at in self._next.items())

    async def up_to_now(self) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
        """Batches of events up to the ends as they are now. Raises KafkaError if none come."""
        ends = await self._reader.end_offsets(list(self._next))
        while any(self._next[partition] < end for partition, end in ends.items()):
            fetched = await self._reader.getmany(timeout_ms=SILENCE_MS, max_records=1000)
            if not fetched:
                raise KafkaError("the topics were not read to their ends")
            for partition, records in fetched.items():
                self._next[partition] = records[-1].offset + 1
            yield [record for records in fetched.values() for record in records]
