"""Door 1: My Account's own routes; everything else goes to the service that owns it."""

from datetime import date, datetime, time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field

from services.gateway import docs, proxy, store, stream
from services.gateway.account import Accounts, in_time
from services.gateway.answers import PRIVATE
from services.gateway.projection import my_info
from shared.auth import Patron
from shared.clock import library_day
from shared.examples import EVENT_ID
from shared.http import BusinessTime, Db, NotFound

router = APIRouter()

OVERVIEW = "/v1/me"
ROWS = 50


class PatronOut(BaseModel):
    """The patron; fields other than id and name are null until accounts was heard."""

    id: str
    name: str
    category: str | None
    home_branch: str | None
    language: str | None
    status: str | None


class LoanOut(BaseModel):
    """A loan that is open. `title` is null until the title was heard of."""

    id: str
    title: str | None
    barcode: str
    branch: str
    borrowed_on: date
    due_on: date
    renewals_left: int
    claimed_returned_on: date | None
    overdue: bool
    version: int


class HoldOut(BaseModel):
    """A hold that is open. `title` is null until the title was heard of."""

    id: str
    title: str | None
    position: int | None = Field(description="1 is next in line; null: it waits no longer.")
    pickup_branch: str
    state: str
    frozen: bool
    expires_on: date | None = Field(
        description="Last day to collect it once it is ready; before, last day it is wanted."
    )
    version: int


class ChargeOut(BaseModel):
    """Money owed, by the patron or to them, in cents."""

    id: str
    kind: str
    loan_id: str | None
    hold_id: str | None
    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int
    statement_url: str


class AccruingOut(BaseModel):
    """What an overdue loan would cost if it came back on the day `as_of`."""

    loan_id: str
    amount_cents: int
    per_day_cents: int | None = Field(description="What a charged day costs; null: not known.")
    as_of: str
    suspended: bool
    resumes_on: date | None


class RegisteredOut(BaseModel):
    """An activity that the patron registered for; what it is is null until it was heard of."""

    id: str = Field(description="Of the registration.")
    activity_id: str
    title: str | None
    type: str | None
    venue: str | None
    starts_at: datetime | None
    state: str
    position: int | None = Field(description="1 is next in line; null: it does not wait.")
    version: int


class TotalsOut(BaseModel):
    """Counts, and cents."""

    loans: int
    overdue: int
    holds: int
    outstanding_cents: int
    refund_due_cents: int
    accruing_cents: int


class InboxOut(BaseModel):
    """How many notifications were not read."""

    unread: int


class SourceOut(BaseModel):
    """How fresh a service's part is: its newest event for this patron, and whether it answers."""

    as_of: datetime | None
    live: bool


class SourcesOut(BaseModel):
    """The services that the overview is built from."""

    accounts: SourceOut
    circulation: SourceOut
    events: SourceOut
    notices: SourceOut


class OverviewOut(BaseModel):
    """My Account."""

    patron: PatronOut
    loans: list[LoanOut]
    holds: list[HoldOut]
    charges: list[ChargeOut]
    accruing: list[AccruingOut]
    totals: TotalsOut
    activities: list[RegisteredOut]
    admission_cards: list[dict[str, Any]]
    enquiries: list[dict[str, Any]]
    inbox: InboxOut
    sources: SourcesOut


class ActivityRow(BaseModel):
    """An activity of a type that the patron follows."""

    title: str
    starts_at: datetime
    venue: str
    type: str


class NewsRow(BaseModel):
    """A notice of a library that the patron follows, or of all of them."""

    library: str
    date: date
    content: str


class LiveOut(BaseModel):
    """Whether a service answers; while it does not, its part may be out of date."""

    live: bool


class InfoSourcesOut(BaseModel):
    """The services that My Info is built from."""

    events: LiveOut
    notices: LiveOut


class InfoOut(BaseModel):
    """My Info."""

    activities: list[ActivityRow]
    library_information: list[NewsRow]
    sources: InfoSourcesOut


@router.get(
    OVERVIEW,
    tags=["my account"],
    response_model=OverviewOut,
    responses={304: {"description": "As the caller has it (If-None-Match)."}},
)
async def get_overview(request: Request, caller: Patron, now: BusinessTime) -> Response:
    """The account at a glance: one read of the view, and a question to circulation if one is due.

    It is answered while any other service is away; `sources` says how fresh each part is.
    """
    accounts: Accounts = request.app.state.accounts
    return (await accounts.answer(caller, now)).to(request)


_EVENTS = f"""\
retry: 2000

id: {EVENT_ID}
event: account
data: {{"inbox":{{"unread":1}}}}

: all is as it was

retry: 3187
event: end
data: {{"reason":"token-expired"}}

"""


@router.get(
    "/v1/me/stream",
    tags=["my account"],
    response_class=Response,
    responses={
        200: {
            "description": "Events `account` and, at last, `end`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENTS}},
        }
    },
)
async def get_stream(
    request: Request,
    caller: Patron,
    now: BusinessTime,
    last_event_id: Annotated[str, Header()] = "",
) -> Response:
    """The account as it changes, as server-sent events.

    `account` has those parts of `GET /v1/me` that changed, each whole; the first has all of them.
    Who comes back with Last-Event-ID is sent what they missed. `end` says why the stream ends
    (`token-expired`, `stopping`, `slow`); `retry` in it, when to come back. 429 `too-many-streams`.
    """
    return stream.stream(request.app, caller, now, last_event_id)


@router.get("/v1/me/info", tags=["my account"], response_model=InfoOut)
async def get_info(request: Request, caller: Patron, now: BusinessTime, db: Db) -> Response:
    """My Info: what is on and what is new, of the kinds and libraries that the patron follows.

    At most 50 rows each. Activities from today on, the earliest first; one that goes on is still
    listed on its last day. Notices newest first, those of the whole library among them, for
    whoever follows a library.
    """
    return await in_time(_info(request, caller.id, now, db))


async def _info(request: Request, patron_id: str, now: datetime, db: Db) -> Response:
    zone = request.app.state.settings.zone
    midnight = datetime.combine(library_day(now, zone), time(), zone)
    view, _ = await store.account_view(db, patron_id)
    preferences = (view or {}).get("preferences", {})
    types = preferences.get("activity_types", [])
    followed = preferences.get("followed_branches", [])
    activities = await store.activities(db, types, midnight, ROWS) if types else []
    notices = await store.notices(db, followed, ROWS) if followed else []
    names = await store.branch_names(db, followed) if notices else {}
    live = request.app.state.liveness.report()
    sources = {service: {"live": live[service]} for service in ("events", "notices")}
    info = my_info(activities, notices, followed, names, ROWS)
    body = orjson.dumps({**info, "sources": sources})
    return Response(body, headers=PRIVATE, media_type="application/json")


@router.get("/health/owners", include_in_schema=False)
async def owners_health(request: Request) -> dict[str, dict[str, dict[str, bool]]]:
    """Which of the other services answer."""
    live = request.app.state.liveness.report()
    return {"owners": {service: {"live": answers} for service, answers in live.items()}}


@router.get("/openapi.json", include_in_schema=False)
async def merged_openapi(request: Request) -> Response:
    """One document for all that a client can call."""
    document = await request.app.state.documents.merged(request.app)
    return Response(orjson.dumps(document), media_type="application/json")


@router.get("/docs", include_in_schema=False)
async def docs_page(request: Request) -> Response:
    """The operations as a page that needs nothing from elsewhere."""
    document = await request.app.state.documents.merged(request.app)
    return Response(
        docs.page(document),
        headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"},
        media_type="text/html",
    )


@router.api_route(
    "/v1/{path:path}",
    methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
    include_in_schema=False,
)
async def forward(request: Request, now: BusinessTime) -> Response:
    """Whatever another service owns. Tokens and fields are checked by the owner."""
    owner = proxy.owner_of(request.scope["raw_path"].decode("ascii", "replace"))
    if owner is None:
        raise NotFound("route")
    return await proxy.forward(request, owner, now)
