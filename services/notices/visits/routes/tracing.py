"""Routes of contact tracing, for callers with that right only, and of its oversight."""

import csv
import datetime as dt
import io
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel, Field, StringConstraints

from services.notices import sealing
from services.notices.branches.refusals import NoSuchBranch
from services.notices.fields import Code, Line
from services.notices.settings import settings_of
from services.notices.visits.commands import record_look
from services.notices.visits.queries import SeenVisit, page_of_looks, visits_of_look
from services.notices.visits.refusals import BadSpan, TooManyVisits
from services.notices.visits.rules import Format, Look
from shared.audit_trail import shows_patrons
from shared.auth import Ops, Tracer
from shared.http.bodies import ONE_LINE, Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["contact tracing"])

CaseNumber = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), ONE_LINE
]
COLUMNS = ("entered_at", "left_at", "door", "name", "phone")
CSV = {
    "schema": {"type": "string"},
    "example": "entered_at,left_at,door,name,phone\r\n"
    "2021-03-08T02:15:00Z,,check-in,Chan Mei-ling,2921 0000\r\n",
}


class TracingBody(Body):
    """A look at the visits of a branch. It is recorded, and the overseers see it."""

    branch: Code
    start: AwareDatetime = Field(description="Begin of the time in question.")
    until: AwareDatetime = Field(description="End of it, at most 24 hours later.")
    case_number: CaseNumber = Field(description="Number of the health authority's case.")
    reason: Line = Field(description="Reason for this look, without anything about a person.")
    format: Format = Field(
        default="json", description="`csv`: a table for the health authority, in UTF-8."
    )


class SeenVisitOut(BaseModel):
    """A visitor who was inside in the time in question."""

    entered_at: dt.datetime
    left_at: dt.datetime | None = Field(
        description="Null: not known; at closing time at the latest."
    )
    door: str
    name: str | None = Field(description="Null: no key of today can read it.")
    phone: str | None

    @classmethod
    def of(cls, seen: SeenVisit) -> "SeenVisitOut":
        """Build the answer from a visit with its visitor."""
        visit, visitor = seen.visit, seen.visitor
        return cls(
            entered_at=visit.entered_at,
            left_at=visit.left_at,
            door=visit.door,
            name=visitor.name if visitor else None,
            phone=visitor.phone if visitor else None,
        )


class LookOut(BaseModel):
    """A look at visits, as it was recorded."""

    id: str
    at: dt.datetime
    by: str = Field(description="Name of the account that looked.")
    branch: str
    start: dt.datetime
    until: dt.datetime
    case_number: str
    reason: str
    format: Format
    found: int = Field(description="Number of visits that were shown.")

    @classmethod
    def of(cls, look: Look) -> "LookOut":
        """Build the answer from a look."""
        return from_attributes(cls, look, by=look.name)


class TracingOut(LookOut):
    """A look with the visits that it shows."""

    visits: list[SeenVisitOut]


class LookPage(BaseModel):
    """A page of looks."""

    items: list[LookOut]
    next: str | None


@router.post(
    "/tracings",
    status_code=201,
    response_model=TracingOut,
    responses={201: {"content": {"text/csv": CSV}}},
)
@refuses(NoSuchBranch, BadSpan, TooManyVisits)
async def post_tracing(
    body: TracingBody, caller: Tracer, now: BusinessTime, run: Run
) -> Response | TracingOut:
    """Show who was inside a branch in a span of time.

    The look is recorded first, in a transaction of its own, so it is known even if the answer never
    arrives. It is recorded each time, also for a repeated Idempotency-Key.
    """
    zone = run.settings.zone
    midnight = body.start.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    since = midnight.astimezone(dt.UTC)
    look = await run.in_steps()(
        record_look,
        by=caller.id,
        name=caller.name,
        branch=body.branch,
        start=body.start.astimezone(dt.UTC),
        until=body.until.astimezone(dt.UTC),
        since=since,
        case_number=body.case_number,
        reason=body.reason,
        output=body.format,
    )
    master = sealing.master_of(settings_of(run).visit_keys)
    seen = await visits_of_look(run.database, look, since, master)
    visits = [SeenVisitOut.of(one) for one in seen]
    if body.format == "csv":
        name = f'attachment; filename="visits-{look.branch}-{look.id}.csv"'
        headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
        return Response(_table(visits), 201, headers, media_type="text/csv; charset=utf-8")
    return TracingOut(**LookOut.of(look).model_dump(), visits=visits)


@router.get("/tracings")
@shows_patrons
async def get_tracings(caller: Ops, db: Db, page: PageQuery) -> LookPage:
    """List all looks at visits, the newest first: who looked, when, where and why."""
    found = await page_of_looks(db, page)
    return LookPage(items=[LookOut.of(look) for look in found["items"]], next=found["next"])


def _table(visits: Sequence[SeenVisitOut]) -> str:
    """Return the visits as CSV. A text that a spreadsheet would compute is kept as a text."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(COLUMNS)
    for visit in visits:
        row = visit.model_dump(mode="json")
        writer.writerow([_as_text(row[column]) for column in COLUMNS])
    return table.getvalue()


def _as_text(value: str | None) -> str:
    text = value or ""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text
