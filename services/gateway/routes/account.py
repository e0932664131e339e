"""The routes of My Account, from the account views."""

from datetime import date, datetime, time
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Request, Response
from pydantic import BaseModel, Field, create_model

from services.gateway.edge import personal_data
from services.gateway.examples import EVENT_ID
from services.gateway.views import stream
from services.gateway.views.my_info import ActivityRow, NewsRow, PlaceWording, my_info
from services.gateway.views.overview_cache import OVERVIEW, PRIVATE
from services.gateway.views.overview_service import OverviewService, in_time
from services.gateway.views.store import reads
from services.registry import OWNERS
from shared.auth import Patron
from shared.clock import library_day
from shared.http.dependencies import BusinessTime, Db
from shared.http.problems import NotFound
from shared.refusals import refuses

router = APIRouter()
operations = APIRouter()
"""Its own routes on the port of operations."""

ROWS = 50


class PatronOut(BaseModel):
    """The patron. Fields other than id and name are null until an event of accounts has arrived."""

    id: str
    name: str
    category: str | None
    home_branch: str | None
    language: str | None
    status: str | None
    blocked_by: list[str] | None = Field(
        description="Causes of the block: `staff`, `money` or both; empty without one. In data of "
        "earlier releases, empty for a block by staff, or null."
    )


class LoanOut(BaseModel):
    """An open loan. `title` is null until the title is known."""

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
    """An open hold. `title` is null until the title is known."""

    id: str
    title: str | None
    position: int | None = Field(
        description="Position in the queue, 1 is next; null: the hold does not wait."
    )
    pickup_branch: str
    state: str
    frozen: bool
    expires_on: date | None = Field(
        description="Last day to collect the copy if the hold is ready, else the last day on "
        "which the patron wants the title; null: no such day is set."
    )
    version: int


class ChargeOut(BaseModel):
    """Money owed by the patron or to them, in cents."""

    id: str
    kind: str
    loan_id: str | None
    hold_id: str | None
    title: str | None = Field(
        description="Title of the item that the charge is for; null: for no item, or not known yet."
    )
    amount_cents: int
    outstanding_cents: int
    refund_due_cents: int
    statement_url: str


class AccruingOut(BaseModel):
    """The fine of an overdue loan if it were returned on the day `as_of`."""

    loan_id: str
    amount_cents: int
    per_day_cents: int | None = Field(
        description="Fine for each charged day, in cents; null: not known."
    )
    as_of: str
    suspended: bool
    resumes_on: date | None


class RegisteredOut(BaseModel):
    """A registration for an activity. The activity's fields are null until it is known."""

    id: str = Field(description="Id of the registration.")
    activity_id: str
    title: str | None
    type: str | None
    venue: str | None
    branch: str | None = Field(
        description="Code of the branch where it takes place; null: not at a branch, or not "
        "known yet."
    )
    starts_at: datetime | None
    wordings: dict[str, PlaceWording] = Field(description="By language.")
    state: str
    position: int | None = Field(
        description="Position on the waiting list, 1 is next; null: not on the waiting list."
    )
    version: int


class AdmittedOut(BaseModel):
    """An application for a study room, or an admission card, of a season that is not over."""

    id: str = Field(description="Id of the application.")
    season_id: str
    season: str = Field(description="Name of the season.")
    branch: str
    state: str = Field(
        description="`applied`: the places are not drawn yet. `granted`: an admission card. "
        "`standby`: on the standby list."
    )
    standby_number: int | None = Field(
        description="Place in the order of the standby list as drawn; null: not on standby."
    )
    valid_from: date
    valid_until: date
    place_until: datetime | None = Field(
        description="Time until which a place in a session is held for a patron on the standby "
        "list; null: none was given, or it was taken or lapsed."
    )
    version: int


class BookedOut(BaseModel):
    """A booked session in a study room."""

    id: str
    branch: str
    starts_at: datetime
    ends_at: datetime
    until: datetime = Field(description="Time until which the place is held.")
    version: int


class EnquiryOut(BaseModel):
    """A question to Ask a Librarian that is not closed; its texts are under /v1/enquiries."""

    id: str
    state: str = Field(description="`answered` and `waiting` are for the patron to read.")
    opened_at: datetime
    messages: int
    version: int


class LinkedOut(BaseModel):
    """A card that is linked with the patron's card; see `/v1/me/family`."""

    id: str = Field(description="Id of the link.")
    patron_id: str
    version: int


class TotalsOut(BaseModel):
    """Numbers of items, and sums in cents."""

    loans: int
    overdue: int
    holds: int
    outstanding_cents: int
    refund_due_cents: int
    accruing_cents: int


class InboxOut(BaseModel):
    """Number of unread notifications."""

    unread: int


class SourceOut(BaseModel):
    """Freshness of a service's part: its newest event for this patron, and if it answers now."""

    as_of: datetime | None
    live: bool


_BY_OWNER: dict[str, Any] = dict.fromkeys(OWNERS, (SourceOut, ...))
SourcesOut = create_model(
    "SourcesOut", __doc__="The services that the overview is built from.", **_BY_OWNER
)


class OverviewOut(BaseModel):
    """The account overview of My Account."""

    patron: PatronOut
    loans: list[LoanOut]
    holds: list[HoldOut]
    charges: list[ChargeOut]
    accruing: list[AccruingOut]
    totals: TotalsOut
    activities: list[RegisteredOut]
    admissions: list[AdmittedOut]
    bookings: list[BookedOut]
    enquiries: list[EnquiryOut]
    family: list[LinkedOut]
    inbox: InboxOut
    sources: SourcesOut


class LiveOut(BaseModel):
    """Liveness of a service. While it does not answer, its part may be out of date."""

    live: bool


class InfoSourcesOut(BaseModel):
    """The services that My Info is built from."""

    events: LiveOut
    notices: LiveOut


class InfoOut(BaseModel):
    """The two tables of My Info."""

    activities: list[ActivityRow]
    library_information: list[NewsRow]
    sources: InfoSourcesOut


@router.get(
    OVERVIEW,
    tags=["my account"],
    response_model=OverviewOut,
    responses={
        304: {
            "description": "The account has not changed since the caller's version (If-None-Match)."
        }
    },
)
async def get_overview(request: Request, caller: Patron, now: BusinessTime) -> Response:
    """Return the account at a glance.

    The answer is one read of the view and, if needed, a question to circulation. It is given even
    while other services are away; `sources` says how fresh each part is.
    """
    overviews: OverviewService = request.app.state.overviews
    return (await overviews.answer(caller, now)).to(request)


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
            "description": "Server-sent events: `account` with changed parts, and a last `end`.",
            "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EVENTS}},
        }
    },
)
@refuses(stream.TOO_MANY_STREAMS)
async def get_stream(
    request: Request,
    caller: Patron,
    now: BusinessTime,
    last_event_id: Annotated[str, Header(max_length=10_000)] = "",
) -> Response:
    """Follow the account as it changes, as server-sent events.

    An `account` event has the parts of `GET /v1/me` that changed, each in full; the first has all
    of them. A client that reconnects with Last-Event-ID gets what it missed. The `end` event says
    why the stream ends (`token-expired`, `session-ended`, `stopping`, `slow`); its `retry` says
    when to reconnect.
    """
    return stream.stream(request.app, caller, now, last_event_id)


@router.get("/v1/me/info", tags=["my account"], response_model=InfoOut)
async def get_info(request: Request, caller: Patron, now: BusinessTime, db: Db) -> Response:
    """Return activities and notices of the types and libraries that the patron follows (My Info).

    At most 50 rows each. Activities from today on, the earliest first; one of several days is
    listed until its last day. Notices newest first; a patron who follows a library also gets those
    of the whole library.
    """
    return await in_time(_info(request, caller.id, now, db))


async def _info(request: Request, patron_id: str, now: datetime, db: Db) -> Response:
    zone = request.app.state.settings.zone
    midnight = datetime.combine(library_day(now, zone), time(), zone)
    await request.app.state.own_writes.write_held_of(patron_id)
    view, _ = await reads.account_view(db, patron_id)
    preferences = (view or {}).get("preferences", {})
    types = preferences.get("activity_types", [])
    followed = preferences.get("followed_branches", [])
    activities = await reads.activities(db, types, midnight, ROWS) if types else []
    notices = await reads.notices(db, followed, ROWS) if followed else []
    names = await reads.branch_names(db, followed) if notices else {}
    live = request.app.state.liveness.report()
    sources = {service: {"live": live[service]} for service in ("events", "notices")}
    info = my_info(activities, notices, followed, names, ROWS)
    body = orjson.dumps({**info, "sources": sources})
    return Response(body, headers=PRIVATE, media_type="application/json")


class PersonalDataOut(BaseModel):
    """Everything that the library holds about a patron."""

    as_of: datetime
    services: dict[str, dict[str, list[dict[str, Any]]]] = Field(
        description="The stored documents, by service and kind."
    )


@router.get("/v1/me/data", tags=["my account"], response_model=PersonalDataOut)
@refuses(NotFound)
async def get_personal_data(request: Request, caller: Patron, now: BusinessTime) -> Response:
    """Return everything that the library holds about the patron, as one file.

    It has the documents as each service stores them, without the PIN, names of staff and their
    notes. Copies that are made of these documents, such as the overview, are left out. Fails if a
    service is away, so the file is always complete.
    """
    return await personal_data.collect(request.app, caller.id, now)


@operations.get("/health/owners")
async def owners_health(request: Request) -> dict[str, dict[str, dict[str, bool]]]:
    """Return for each of the other services whether it answers."""
    live = request.app.state.liveness.report()
    return {"owners": {service: {"live": answers} for service, answers in live.items()}}
