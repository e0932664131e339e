"""The routes that the chassis adds for other services and operators.

They run jobs and read snapshots, personal data and the audit trail.
"""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal

import orjson
from fastapi import FastAPI, Path, Query, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared import unit_of_work
from shared.audit_trail import EntryQuery, find_entries, shows_patrons
from shared.auth import Ops, OtherService, StaffOrOps
from shared.bus.dead_letters import find_waiting
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of
from shared.http.problems import NotFound
from shared.http.service import Service
from shared.mongo import SnapshotQuery
from shared.personal_data import documents_about
from shared.processes import BACKUP, VERSION, find_processes, find_runs, note_run
from shared.refusals import refuses
from shared.relay import outbox_age, outbox_pending

JOBS = "/v1/ops/jobs/"
"""Start of the path that runs a job of a service."""


STATUS = "/v1/ops/status/"
"""Start of the path that shows how the processes and the jobs of a service fare."""
AUDIT_TRAIL = "/v1/ops/audit-trail/"
"""Start of the path that shows the audit trail of a service."""


MOST_LETTERS = 50


class ProcessOut(BaseModel):
    """A process of the service, as it last noted itself."""

    model_config = ConfigDict(from_attributes=True)

    id: str = Field(description="Name of the replica.")
    version: str
    roles: list[str]
    started_at: datetime
    seen_at: datetime
    gone: bool = Field(description="True if it was killed or hangs: it has stopped noting itself.")
    status: Literal["ready", "degraded", "unready"]
    faults: list[str] = Field(description="Findings of its `/health/ready`, if it is not ready.")


class JobRunOut(BaseModel):
    """The last run of a job that did something or failed."""

    at: datetime
    outcome: Literal["done", "failed", "waits"]
    done: int = Field(description="Number of items that it processed.")
    by: str = Field(description="Process that ran it.")


class ScheduledOut(BaseModel):
    """A job of the service."""

    name: str
    every_seconds: float
    last: JobRunOut | None


class DeadLetterOut(BaseModel):
    """A message that the service could not process, about which nobody has decided."""

    id: str = Field(description="Its partition and offset on the topic of dead letters.")
    topic: str
    error: str
    at: datetime


class StatusOut(BaseModel):
    """The state of a service with its processes and jobs."""

    service: str
    processes: list[ProcessOut] = Field(description="Those that run, and those gone since a day.")
    jobs: list[ScheduledOut]
    outbox_seconds: float = Field(description="Age of the oldest event not yet published.")
    outbox_events: int = Field(description="Events not yet published, counted up to 10,000.")
    dead_letters: list[DeadLetterOut] = Field(
        description="The oldest ones about which nobody has decided, at most 50."
    )
    backup: JobRunOut | None = Field(
        description="At the gateway: the last backup of all databases, with its place as `by`."
    )


def add_status(app: FastAPI, service: Service) -> None:
    """Add the route that shows operators how the service fares."""
    process = {
        "id": "0",
        "version": VERSION,
        "roles": ["api", "consumers", "jobs", "relay"],
        "started_at": "2021-02-19T04:00:00Z",
        "seen_at": "2021-02-19T05:30:00Z",
        "gone": False,
        "status": "ready",
        "faults": [],
    }
    last = {"at": "2021-02-19T05:29:00Z", "outcome": "done", "done": 12, "by": "0"}
    letter = {
        "id": "0-17",
        "topic": "branch.reopened",
        "error": "invalid: reopens_on: missing",
        "at": "2021-02-19T05:00:00Z",
    }
    jobs = [
        {"name": job.name, "every_seconds": job.every_seconds, "last": last}
        for job in service.jobs.by_name.values()
    ]
    example = {
        "service": service.name,
        "processes": [process],
        "jobs": jobs[:1],
        "outbox_seconds": 0.2,
        "outbox_events": 1,
        "dead_letters": [letter],
        "backup": {**last, "by": "backups-1:/backups/carrel-20210219T052900Z"},
    }

    @app.get(
        f"{STATUS}{service.name}",
        tags=["operations"],
        responses={200: {"content": {"application/json": {"example": example}}}},
    )
    async def get_status(_caller: Ops, db: Db) -> StatusOut:
        """Show the processes of the service, its jobs with their last runs, and its outbox."""
        processes, runs, age, pending, letters = await asyncio.gather(
            find_processes(db),
            find_runs(db),
            outbox_age(db),
            outbox_pending(db),
            find_waiting(db, MOST_LETTERS),
        )
        return StatusOut(
            service=service.name,
            processes=[ProcessOut.model_validate(process) for process in processes],
            jobs=[
                ScheduledOut(
                    name=job.name,
                    every_seconds=job.every_seconds,
                    last=JobRunOut(**asdict(runs[job.name])) if job.name in runs else None,
                )
                for job in service.jobs.by_name.values()
            ],
            outbox_seconds=age,
            outbox_events=pending,
            dead_letters=[DeadLetterOut(**asdict(letter)) for letter in letters],
            backup=JobRunOut(**asdict(runs[BACKUP])) if BACKUP in runs else None,
        )


class JobOut(BaseModel):
    """The result of a job."""

    job: str
    done: int = Field(description="Number of items that the job processed.")


def add_jobs(app: FastAPI, service: Service) -> None:
    """Add the route that runs a job of the service now."""
    if not service.jobs.by_name:
        return

    names = sorted(service.jobs.by_name)
    example = {"job": f"{service.name}/{names[0]}", "done": 3}

    @app.post(
        f"{JOBS}{service.name}/{{job}}",
        tags=["operations"],
        responses={200: {"content": {"application/json": {"example": example}}}},
    )
    @refuses(NotFound)
    async def run_job(
        job: Annotated[str, Path(json_schema_extra={"enum": names})], _caller: StaffOrOps, run: Run
    ) -> JobOut:
        """Run a job now, for the business time of the request. Safe to repeat."""
        if job not in service.jobs.by_name:
            raise NotFound("job")
        patient = unit_of_work.Run(app.state.unit_of_work, run.origin, within=30.0)
        done = await service.jobs.by_name[job].run(patient)
        run.events.extend(patient.events)
        await note_run(app.state.database, job, "done", done, app.state.settings.replica)
        return JobOut(job=f"{service.name}/{job}", done=done)


def add_snapshots(app: FastAPI, service: Service) -> None:
    """Add the route with which another service reads the current resources."""
    kinds = {**service.snapshots, **service.snapshots_of_patrons}
    if not kinds:
        return

    @app.get("/v1/snapshots/{kind}", tags=["operations"])
    @refuses(NotFound)
    async def get_snapshot(
        kind: str,
        _caller: OtherService,
        now: BusinessTime,
        db: Db,
        *,
        after: str = "",
        patron: Annotated[
            str,
            Query(
                description="Id of a patron: return all resources of this patron, and no others."
            ),
        ] = "",
        sample: Annotated[
            int,
            Query(
                ge=0,
                le=1000,
                description="Number of resources to pick at random; 0: no random sample.",
            ),
        ] = 0,
    ) -> Response:
        """Return a chunk of a kind's resources as they are now; `next` is the next `after`."""
        asked = service.snapshots_of_patrons if patron or sample else kinds
        if kind not in asked:
            raise NotFound("kind of resource")
        events, more = await asked[kind](db, SnapshotQuery(after, patron, sample))
        items = [orjson.Fragment(event.body()) for event in events]
        body = orjson.dumps({"as_of": now, "items": items, "next": more})
        return Response(body, media_type="application/json")


def add_personal_data(app: FastAPI, service: Service) -> None:
    """Add the route with which the gateway reads all that the service keeps about a patron."""
    if not service.personal:
        return

    @app.get("/v1/personal-data/{patron_id}", tags=["operations"])
    async def get_personal_data(
        patron_id: Annotated[str, Path(max_length=64)], _caller: OtherService, db: Db
    ) -> Response:
        """Return the documents about a patron as they are stored, by collection."""
        found = await documents_about(db, service.personal, patron_id)
        return Response(orjson.dumps(found, default=str), media_type="application/json")


class AuditEntryOut(BaseModel):
    """An entry of the audit trail. It has ids only, no personal details."""

    id: str
    at: datetime
    by: str = Field(
        description="Id of the account, or name of the service; empty: not known, as for a failed "
        "log-in with a card that nobody has."
    )
    roles: list[str]
    act: str = Field(description="Method and route, or words for an act that is no request.")
    objects: list[str] = Field(description="Ids of the things and patrons that it is about.")
    address: str = Field(description="Network from which the request came; empty: not known.")
    correlation_id: str = Field(description="Id of the request, as in logs and events.")
    sealed: bool = Field(description="False in the first second, until a seal lists the entry.")


class AuditEntryPage(BaseModel):
    """A page of entries, the newest first."""

    items: list[AuditEntryOut]
    next: str | None


def add_audit_trail(app: FastAPI, service: Service) -> None:
    """Add the route that shows the audit trail of the service to operators."""
    entry = {
        "id": "01920f00-9aa7-7bbc-8e85-5a7de0d5f3d2",
        "at": "2021-02-19T04:00:00Z",
        "by": "01920f00-1111-7bbc-8e85-5a7de0d5f3d2",
        "roles": ["staff"],
        "act": "POST /v1/patrons/{patron_id}/block",
        "objects": ["01920f00-2222-7bbc-8e85-5a7de0d5f3d2"],
        "address": "203.0.113.0/24",
        "correlation_id": "01920f00-3333-7bbc-8e85-5a7de0d5f3d2",
        "sealed": True,
    }
    example = {"items": [entry], "next": entry["id"]}

    @app.get(
        f"{AUDIT_TRAIL}{service.name}",
        tags=["operations"],
        responses={200: {"content": {"application/json": {"example": example}}}},
    )
    @shows_patrons
    async def get_audit_trail(
        _caller: Ops,
        db: Db,
        page: PageQuery,
        *,
        by: Annotated[str, Query(max_length=200, description="Id of the account that acted.")] = "",
        about: Annotated[
            str, Query(max_length=200, description="Id of a patron, or of another object.")
        ] = "",
        since: Annotated[AwareDatetime | None, Query(description="Earliest time.")] = None,
        until: Annotated[AwareDatetime | None, Query(description="Time before which.")] = None,
        act: Annotated[
            str, Query(max_length=200, description="Method and route, or words, of the act.")
        ] = "",
    ) -> AuditEntryPage:
        """List who of staff, stations, operators and services did what, the newest first.

        Reading this list is recorded, too.
        """
        query = EntryQuery(by, about, since, until, act, page.after, page.limit + 1)
        found = [
            AuditEntryOut(**{**asdict(one), "sealed": one.seal is not None})
            for one in await find_entries(db, query)
        ]
        return AuditEntryPage(**page_of(found, page, lambda one: str(one.id)))
