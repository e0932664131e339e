"""The running processes of a service and the last runs of its jobs, noted in its own database.

Each process notes every NOTED_EVERY seconds how it fares, and takes the note away when it stops.
So a process that was killed, or that hangs, is seen as one that is gone.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any, Literal

import pymongo
import structlog
from prometheus_client import Gauge
from pymongo.errors import PyMongoError

from shared.mongo import Database, Document

log = structlog.get_logger()

VERSION = version("carrel")
Gauge("carrel_build_info", "1, with the version", ["version"]).labels(VERSION).set(1)
NOTED_EVERY = 10.0
"""Seconds between two notes of a process."""
CHANGES_SOON = 2.0
"""The same while the process is not ready."""
GONE_AFTER = 35.0
"""Seconds without a note after which a process counts as gone: three notes are missing."""
KEPT_SECONDS = 86_400
"""Seconds for which a process that is gone is still shown."""
STORE_SECONDS = 3.0
"""Seconds that a note may take; the next one follows anyway."""

AUDIT = "audit"
"""Name of the run that `carrel audit` notes, with the number of its findings, at the gateway."""
BACKUP = "backup"
"""Name of the run that `carrel backup take` notes at the gateway, with its documents and its place.

Its instant is the one whose data the backup has."""
BACKUP_LATE_SECONDS = 3 * 3600
"""Age of the last backup that is reported: backups are due every hour, as the runbook says."""
_USUAL = ("ok", "listening", "none")
"""Texts of a part that works."""

Report = Callable[[], Awaitable[Document]]


@dataclass(frozen=True)
class Process:
    """A process of a service, as it last noted itself."""

    id: str
    """Its CARREL_REPLICA: a process that is started again under the same name replaces it."""
    version: str
    roles: tuple[str, ...]
    started_at: datetime
    seen_at: datetime
    gone: bool
    """True if it has noted nothing for GONE_AFTER seconds, by the database's clock."""
    status: str
    """`ready`, `degraded` or `unready`, as its `/health/ready` says."""
    checks: dict[str, str]
    """State of each part, as its `/health/ready` says."""

    @property
    def faults(self) -> list[str]:
        """Findings of its checks, if it is not ready; its outbox only if there is no other."""
        if self.status == "ready":
            return []
        found = [f"{part}: {text}" for part, text in self.checks.items() if text not in _USUAL]
        return [one for one in found if not one.startswith("outbox: ")] or found


@dataclass(frozen=True)
class JobRun:
    """The last run of a job that did something or failed; of a job of minutes, the last of all."""

    job: str
    at: datetime
    outcome: str
    """`done`, `failed`, or `waits` if the clock is wrong."""
    done: int
    """Number of items that it processed."""
    by: str
    """Process that ran it."""


async def keep_noted(database: Database, name: str, roles: list[str], report: Report) -> None:
    """Note this process in its service's database until cancelled; then take the note away."""
    fixed = {"version": VERSION, "roles": roles}
    started: Document = {"$ifNull": ["$begun", "$$NOW"]}
    await _quietly(database.processes.delete_one({"_id": name}))  # of an earlier process
    try:
        while True:
            found = await report()
            now = {**fixed, **{key: {"$literal": value} for key, value in found.items()}}
            note = [{"$set": {**now, "begun": started, "seen_at": "$$NOW"}}]
            await _quietly(database.processes.update_one({"_id": name}, note, upsert=True))
            await asyncio.sleep(NOTED_EVERY if found["status"] == "ready" else CHANGES_SOON)
    finally:
        await _quietly(database.processes.delete_one({"_id": name}))


async def note_run(
    database: Database,
    job: str,
    outcome: str,
    done: int,
    by: str,
    *,
    at: datetime | Literal["$$NOW"] = "$$NOW",
) -> None:
    """Keep the outcome of a job's run, by default at the present time of the database."""
    fields = {"outcome": outcome, "done": done, "by": {"$literal": by}, "at": at}
    note = [{"$set": fields}]
    await _quietly(database.job_runs.update_one({"_id": job}, note, upsert=True))


async def _quietly(act: Awaitable[Any]) -> None:
    """Await a write that serves only to be looked at: its failure stops nothing."""
    with contextlib.suppress(PyMongoError), pymongo.timeout(STORE_SECONDS):
        await act


async def find_processes(database: Database) -> list[Process]:
    """Return the processes of a service, those that are gone too, by name."""
    age = {"$dateDiff": {"startDate": "$seen_at", "endDate": "$$NOW", "unit": "millisecond"}}
    found = database.processes.aggregate([{"$set": {"age": age}}, {"$sort": {"_id": 1}}])
    return [_process(note) async for note in found]


def _process(note: Document) -> Process:
    return Process(
        id=note["_id"],
        version=note["version"],
        roles=tuple(note["roles"]),
        started_at=note["begun"],
        seen_at=note["seen_at"],
        gone=note["age"] > GONE_AFTER * 1000,
        status=note["status"],
        checks=note["checks"],
    )


async def find_runs(database: Database) -> dict[str, JobRun]:
    """Return the last runs of the jobs of a service, by job."""
    notes: AsyncIterator[Document] = database.job_runs.find({})
    return {
        note["_id"]: JobRun(note["_id"], note["at"], note["outcome"], note["done"], note["by"])
        async for note in notes
    }
