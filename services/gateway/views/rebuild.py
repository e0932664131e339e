"""Rebuild the account views next to those that are served, then replace them.

Topics keep their events for weeks, accounts live for years. So the owners are asked for their
current data, and the topics are read for what has happened since. Versions decide as always, so it
does not matter which of the two is ahead. A rebuild publishes nothing and writes to no owner.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
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

from services.gateway.views.projection import fold
from services.gateway.views.store import builds, writes
from services.gateway.views.store.schema import (
    FORM,
    AccountChange,
    Change,
    Collections,
    SessionEnd,
)
from services.registry import SERVICES
from shared.bus.connection import client_arguments
from shared.bus.dead_letters import describe
from shared.bus.retry import is_transient
from shared.bus.subscriptions import Subscriptions
from shared.clock import wall_clock
from shared.contracts import Event
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.lease import give_up_lease, hold_lease
from shared.mongo import Database
from shared.names import Names
from shared.owners import OwnerAway, OwnerRefused, Owners
from shared.settings import Settings

log = structlog.get_logger()

VIEWS_WHOLE = Gauge("carrel_views_whole", "1 where the account views can be shown")

LEASE = "rebuild"
LEASE_SECONDS = 30
RENEW_SECONDS = 10
"""Minimum time between two renewals of the lease."""
LOOK_SECONDS = 1.0
SOON_SECONDS = 0.2
"""Pause between two checks while there are no views to show."""
SILENCE_MS = 15_000
MOST_ROUNDS = 20
"""Maximum number of passes over the topics before the new views are served anyway."""
MOST_TRIES = 5
"""Maximum number of attempts of a request to an owner."""
TRY_SECONDS = 0.5

PARTS: Sequence[tuple[str, str, type[Event]]] = tuple(
    (service.name, kind, contract)
    for service in SERVICES
    for kind, contract in service.snapshots.items()
)
"""Parts of the views: the owner, the kind of resource, and the contract of its snapshots."""


class Underway(Exception):
    """Another process is rebuilding the views."""


@dataclass
class Progress:
    """Counts of what a rebuild has applied so far."""

    resources: Counter[str] = field(default_factory=Counter)
    """Resources from the owners' snapshots, by kind."""
    events: int = 0
    """Events read from the topics."""


OnProgress = Callable[[Progress], None]


class _Page(BaseModel):
    as_of: datetime
    items: list[dict[str, object]]
    next: str | None


async def keep_whole(app: FastAPI) -> None:
    """Rebuild the views when they are missing or in an older format, until cancelled."""
    settings: Settings = app.state.settings
    database: Database = app.state.database
    while True:
        pause = LOOK_SECONDS
        if "consumers" in settings.roles:
            try:
                form = await _form(database)
                if not form:
                    pause = SOON_SECONDS
                if form < FORM:
                    done = await rebuild(
                        database, settings, app.state.owners, app.state.subscriptions
                    )
                    log.info("views built", resources=done.resources.total(), events=done.events)
            except (Underway, builds.BuildLost):
                pass
            except (OwnerAway, PyMongoError, KafkaError, OSError) as error:
                what = error.service if isinstance(error, OwnerAway) else type(error).__name__
                log.warning("views wait to be built", waits_for=what)
        await asyncio.sleep(pause)


async def views_health(app: FastAPI) -> tuple[bool, str]:
    """Return whether accounts can be shown: not before the views are complete for the first time.

    If the views are lost later, the process stays ready, because it answers everything else.
    """
    if await builds.form(app.state.database) is not None:
        app.state.views_seen_whole = True
        return True, "ok"
    return getattr(app.state, "views_seen_whole", False), "being built"


async def _form(database: Database) -> int:
    found = await builds.form(database)
    VIEWS_WHOLE.set(found is not None)
    return found or 0


async def rebuild(
    database: Database,
    settings: Settings,
    owners: Owners,
    subscriptions: Subscriptions,
    on_progress: OnProgress = lambda _: None,
) -> Progress:
    """Rebuild the views and serve them; the previous ones are served until then.

    `subscriptions` are those of the consumers. `on_progress` is called after each step. Safe to run
    again after an interruption at any point. Raises Underway, BuildLost, OwnerAway, and what the
    database driver and the Kafka client raise. An error before the replacement leaves the served
    views as they were.
    """
    build = new_id()
    if not await hold_lease(database, LEASE, build, LEASE_SECONDS):
        raise Underway
    try:
        restored = await builds.restored_offsets(database)
        async with _Topics(settings, subscriptions, restored) as topics:
            building = await builds.begin_build(database, build)
            builder = _Builder(database, building, build, subscriptions, on_progress)
            for service, kind, contract in PARTS:
                await builder.ask(owners, service, kind, contract)
            for _ in range(MOST_ROUNDS):
                await builder.read(topics)
                if not await topics.behind():
                    break
            failpoint("rebuild.built")
            await builds.finish_build(building)
            # Changes that the consumers wrote to the old views while the last events were read.
            builder.views = database
            await builder.read(topics)
            return builder.progress
    finally:
        with contextlib.suppress(PyMongoError):
            await builds.drop_build(database, build)
            await give_up_lease(database, LEASE, build)


class _Builder:
    """Writes one build, and keeps its lease meanwhile."""

    def __init__(
        self,
        database: Database,
        views: Collections,
        build: str,
        subscriptions: Subscriptions,
        on_progress: OnProgress,
    ) -> None:
        self.views = views
        self.progress = Progress()
        self._database = database
        self._build = build
        self._subscriptions = subscriptions
        self._on_progress = on_progress
        self._renew_at = 0.0
        """When the lease is to be renewed, by the monotonic clock: first at the first write."""

    async def ask(self, owners: Owners, service: str, kind: str, contract: type[Event]) -> None:
        """Apply all snapshots of one kind that an owner has."""
        async for count, changes in told_by(owners, service, kind, contract):
            await self._apply(changes)
            self.progress.resources[kind] += count
            self._on_progress(self.progress)

    async def read(self, topics: "_Topics") -> None:
        """Apply the events up to the present ends of the topics."""
        async for records in topics.up_to_now():
            await self._apply_records(records)
            self.progress.events += len(records)
            self._on_progress(self.progress)

    async def _apply_records(self, records: Sequence[ConsumerRecord[bytes, bytes]]) -> None:
        """Apply the changes of events, except of those that are at fault.

        The consumers have not passed these events yet: they read each of them too, and make it a
        dead letter.
        """
        good: list[tuple[ConsumerRecord[bytes, bytes], Sequence[Change]]] = []
        for record in records:
            try:
                good.append((record, self._subscriptions.changes(record)))
            except Exception as error:  # noqa: BLE001 - any error here is the message's fault
                _pass_over(record, error)
        try:
            await self._apply([change for _, changes in good for change in changes])
        except Exception as error:
            if is_transient(error) or isinstance(error, Underway):
                raise
            for record, changes in good:
                try:
                    await self._apply(changes)
                except Exception as fault:
                    if is_transient(fault) or isinstance(fault, Underway):
                        raise
                    _pass_over(record, fault)

    async def _apply(self, changes: Sequence[Change]) -> None:
        if time.monotonic() >= self._renew_at:
            if not await hold_lease(self._database, LEASE, self._build, LEASE_SECONDS):
                raise Underway
            self._renew_at = time.monotonic() + RENEW_SECONDS
        await writes.apply(self.views, changes)


def is_of_a_patron(contract: type[Event]) -> bool:
    """Return whether such resources belong to patrons, so that an owner can filter by patron."""
    return "patron_id" in contract.model_fields


async def told_by(
    owners: Owners, service: str, kind: str, contract: type[Event], **only: str
) -> AsyncIterator[tuple[int, list[AccountChange]]]:
    """Yield an owner's snapshots of a kind in pages: count and changes. Raises OwnerAway.

    `only` may be a `patron`, or a `sample`: the number of resources to pick at random.
    """
    after: str | None = ""
    while after is not None:
        answer = await _asked(owners, service, f"/v1/snapshots/{kind}", {"after": after, **only})
        try:
            page = _Page.model_validate(answer)
            events = [contract.model_validate(item) for item in page.items]
        except ValueError as error:
            log.warning("malformed response of an owner", owner=service, kind=kind)
            raise OwnerAway(service) from error
        changes = [
            change
            for event in events
            for change in fold(event, page.as_of)
            if not isinstance(change, SessionEnd)
        ]
        yield len(events), changes
        after = page.next


async def _asked(owners: Owners, service: str, path: str, params: Mapping[str, str]) -> object:
    for left in reversed(range(MOST_TRIES)):
        try:
            return await owners.get(service, path, params=params)
        except OwnerRefused as error:
            log.warning("owner refuses", owner=service, path=path, error=error.code)
            raise OwnerAway(service) from error
        except OwnerAway:
            if not left:
                raise
        await asyncio.sleep(TRY_SECONDS)
    raise OwnerAway(service)


def _pass_over(record: ConsumerRecord[bytes, bytes], error: Exception) -> None:
    log.warning(
        "event passed over",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        error=describe(error),
    )


class _Topics:
    """Reader of the gateway's topics, from its committed offsets or some minutes earlier."""

    def __init__(
        self, settings: Settings, subscriptions: Subscriptions, restored: Mapping[str, int]
    ) -> None:
        self._settings = settings
        self._names = Names(settings.topic_prefix)
        self._subscribed = subscriptions.by_topic.keys()
        self._restored = restored
        self._reader = AIOKafkaConsumer(
            **client_arguments(settings),
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        self._next: dict[TopicPartition, int] = {}

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self._reader.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._reader.stop()

    async def _start(self) -> None:
        """Start to read each partition from its place: the committed offset, or an earlier one.

        Events that the consumers have still to apply may be older than the owners' answers. A
        loan's renewal and its return, for example, are on two topics. If the build started at their
        ends, a consumer that lags might later apply the renewal before the return.

        A partition that is consumed further may already be past the return. So each is read from
        two times writes.LATE ago, or earlier. Older events create nothing (writes.LATE). Events
        before a restore are not read: they may report changes that were lost.
        """
        since = wall_clock() - 2 * writes.LATE
        admin = AIOKafkaAdminClient(**client_arguments(self._settings))
        await admin.start()
        try:
            described = await admin.describe_topics()
            committed = await admin.list_consumer_group_offsets(self._names.on_kafka("gateway"))
        finally:
            await admin.close()
        partitions = [
            TopicPartition(topic["topic"], partition["partition"])
            for topic in described
            if self._names.topic(topic["topic"]) in self._subscribed
            for partition in topic["partitions"]
        ]
        # Started before, it would not know topics that were created in between, and learn of one
        # after the other, with a pause of 100 ms for each.
        await self._reader.start()
        starts = await self._reader.beginning_offsets(partitions)
        ends = await self._reader.end_offsets(partitions)
        recent = await self._reader.offsets_for_times(
            dict.fromkeys(partitions, int(since.timestamp() * 1000))
        )
        for partition in partitions:
            stored, first = committed.get(partition), recent.get(partition)
            known = stored.offset if stored is not None else -1
            if first is not None:
                known = min(known, first.offset)
            place = f"{self._names.topic(partition.topic)}/{partition.partition}"
            restored = self._restored.get(place, 0)
            lowest = max(starts[partition], min(restored, ends[partition]))
            self._next[partition] = max(known, lowest)
        self._reader.assign(partitions)
        for partition, offset in self._next.items():
            self._reader.seek(partition, offset)

    async def behind(self) -> int:
        """Return the number of events that are still to be read."""
        ends = await self._reader.end_offsets(list(self._next))
        return sum(max(0, ends[partition] - at) for partition, at in self._next.items())

    async def up_to_now(self) -> AsyncIterator[list[ConsumerRecord[bytes, bytes]]]:
        """Yield batches of events up to the present ends. Raises KafkaError if none arrive."""
        ends = await self._reader.end_offsets(list(self._next))
        while any(self._next[partition] < end for partition, end in ends.items()):
            fetched = await self._reader.getmany(timeout_ms=SILENCE_MS, max_records=1000)
            if not fetched:
                raise KafkaError("the topics were not read to their ends")
            for partition, records in fetched.items():
                self._next[partition] = records[-1].offset + 1
            yield [self._names.record(one) for records in fetched.values() for one in records]
