"""The routes of My Account, from the account views."""

from datetime import date, datetime
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Header, Path, Request, Response
from pydantic import BaseModel, Field, create_model

from services.gateway.examples import EVENT_ID
from services.gateway.views import stream
from services.gateway.views.overviews import OVERVIEW, PRIVATE, OverviewService
from services.registry import OWNERS
from shared.auth import Patron
from shared.http.dependencies import BusinessTime
from shared.http.problems import problem
from shared.refusals import PlainProblem, refuses

router = APIRouter()
operations = APIRouter()
"""Its own routes on the port of operations."""


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
    card_expires_on: date | None = Field(
        description="Last day on which the patron can borrow with the card; null: it does not "
        "expire."
    )


class LoanOut(BaseModel):
    """An open loan. `title` is null until the title is known."""

    id: str
    title: str | None
    barcode: str
    branch: str
    borrowed_on: date
    due_on: date
    due_at: datetime | None = Field(description="Time at which a loan by hours is due; else null.")
    renewals_left: int
    claimed_returned_on: date | None
    overdue: bool
    version: int


class HoldOut(BaseModel):
    """An open hold. `title` is null until the title is known."""

    id: str
    title: str | None
    volume: str | None = Field(description="Volume that is wanted; null: no volume.")
    any_edition: bool = Field(description="True if any edition of the work is wanted.")
    position: int | None = Field(
        description="Position among the holds that wait for the same copies, 1 is next; null: the "
        "hold does not wait."
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


class PlaceWording(BaseModel):
    """Title and venue of an activity in one language; null: as in the activity itself."""

    title: str | None
    venue: str | None


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


NOT_LINKED = PlainProblem("not-linked", 404)


class MemberAccountOut(BaseModel):
    """The loans and holds of a linked patron."""

    patron_id: str
    loans: list[LoanOut]
    holds: list[HoldOut]


@router.get("/v1/me/family/{member_id}/account", tags=["family"], response_model=MemberAccountOut)
@refuses(NOT_LINKED)
async def get_member_account(
    request: Request,
    member_id: Annotated[str, Path(max_length=64)],
    caller: Patron,
    now: BusinessTime,
) -> Response:
    """Return the loans and holds of a patron whose card is linked with the caller's.

    Charges, reading history, questions and study rooms are not shown.
    """
    overviews: OverviewService = request.app.state.overviews
    account = await overviews.of_member(caller, member_id, now)
    if account is None:
        return problem(NOT_LINKED, "Your card is not linked with this one.")
    return Response(orjson.dumps(account), headers=PRIVATE, media_type="application/json")


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
    while other services are away; `sources` says how fresh each part is. A gateway that is too busy
    gives the account as it last knew it, with the header `Age` in seconds.
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


@operations.get("/health/owners")
async def owners_health(request: Request) -> dict[str, dict[str, dict[str, bool]]]:
    """Return for each of the other services whether it answers."""
    live = request.app.state.liveness.report()
    return {"owners": {service: {"live": answers} for service, answers in live.items()}}
