"""The routes that the chassis adds for other services and operators.

They run jobs and read snapshots and personal data.
"""

from typing import Annotated

import orjson
from fastapi import FastAPI, Path, Query, Response
from pydantic import BaseModel, Field

from shared import unit_of_work
from shared.auth import OtherService, StaffOrOps
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.problems import NotFound
from shared.http.service import Service
from shared.mongo import SnapshotQuery
from shared.personal_data import documents_about
from shared.refusals import refuses

JOBS = "/v1/ops/jobs/"
"""Start of the path that runs a job of a service."""


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
