"""Routes of events. Public data needs no token; registering needs a patron's token."""

from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException

from services.events import queries
from services.events.domain.activity import Closed, is_released
from services.events.domain.registration import Registration, RegistrationState
from services.events.feed import calendar
from services.events.queries import Placed, Shown
from services.events.settings import Settings
from services.events.usecases.amend_activity import AmendActivity, amend_activity
from services.events.usecases.cancel_activity import CancelActivity, cancel_activity
from services.events.usecases.publish_activity import PublishActivity, publish_activity
from services.events.usecases.register_for_activity import (
    RegisterForActivity,
    register_for_activity,
)
from services.events.usecases.withdraw_registration import (
    WithdrawRegistration,
    withdraw_registration,
)
from shared.auth import OtherService, Patron, Staff, StaffOrService
from shared.clock import library_day
from shared.http.bodies import Body, Day
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of

router = APIRouter(prefix="/v1", tags=["activities"])

FEED_BACK = timedelta(days=31)
"""Time for which past activities stay in the feed: calendars remove entries that the feed no longer
has."""
FEED_ENTRIES = 1000
INSIDE_AT_MOST = 100
"""Maximum number of activities inside closures that are listed."""
_FEED = """\
BEGIN:VCALENDAR
VERSION:2.0
PRODID:-//Carrel//Activities//EN
BEGIN:VEVENT
UID:01765b0e-1f40-77a3-9be5-5c8d0e4f7a14
DTSTAMP:20210308T021500Z
SEQUENCE:0
DTSTART:20210327T070000Z
DTEND:20210327T083000Z
SUMMARY:Reading the Harbour: a Walk in Old Maps
LOCATION:Lecture Theatre
CATEGORIES:talk
STATUS:CONFIRMED
END:VEVENT
END:VCALENDAR
"""


# ---- bodies of requests and responses -----------------------------------------------------------


def _utc(instant: datetime) -> datetime:
    """Convert to UTC and drop fractions of a second, as stored, published and answered."""
    try:
        return instant.astimezone(UTC).replace(microsecond=0)
    except OverflowError:
        raise ValueError("no such time") from None


Instant = Annotated[AwareDatetime, AfterValidator(_utc)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]
ActivityType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]
ByType = Annotated[ActivityType | None, Query(alias="type")]
ByBranch = Annotated[BranchCode | None, Query()]
PlaceCount = Annotated[int, Field(ge=1, le=100_000)]
ActivityId = Annotated[str, Path(max_length=64)]


class RecordingIn(Body):
    """A recording's address and the instant from which it may be seen."""

    available_from: Instant
    url: str = Field(max_length=2000, pattern=r"^https?://[^\s]+$", repr=False)


class ActivityIn(Body):
    """A new activity."""

    title: Line
    type: ActivityType = Field(
        description="Type of the activity, such as `talk`, `exhibition` or `workshop`."
    )
    venue: Line
    branch: BranchCode | None = Field(
        default=None, description="Code of the branch where it takes place; null: not at a branch."
    )
    starts_at: Instant
    ends_at: Instant | None = None
    speaker: Line | None = None
    organiser: Line
    language: Line | None = Field(default=None, description="Language of the activity.")
    enquiries: Line | None = Field(default=None, description="Telephone number for enquiries.")
    recording: RecordingIn | None = None
    places: PlaceCount | None = Field(
        default=None, description="Number of places; null: anyone can come, without registering."
    )


class ActivityChange(Body):
    """The fields to change; a field that is not given stays as it is."""

    starts_at: Instant | None = None
    ends_at: Instant | None = None
    venue: Line | None = None
    branch: BranchCode | None = None
    places: PlaceCount | None = Field(
        default=None,
        description="New number of places, not lower than the present one; null: unchanged.",
    )


class CancellationIn(Body):
    """The reason why an activity is cancelled, shown to the public."""

    reason: Line


class RecordingState(BaseModel):
    """The public data of a recording, which never include its address."""

    available_from: datetime
    released: bool

    @classmethod
    def of(cls, available_from: datetime | None, now: datetime) -> "RecordingState | None":
        """Build the state of a recording at `now`; None if there is no recording."""
        if available_from is None:
            return None
        return cls(available_from=available_from, released=is_released(available_from, now))


class ActivityOut(BaseModel):
    """An activity."""

    id: str
    title: str
    type: str
    venue: str
    branch: str | None
    starts_at: datetime
    ends_at: datetime | None
    speaker: str | None
    organiser: str
    language: str | None
    enquiries: str | None
    recording: RecordingState | None
    places: int | None = Field(description="Number of places; null: no registration is needed.")
    places_left: int | None = Field(
        description="Number of places for new registrations: 0 while somebody is on the waiting "
        "list, or if the activity is cancelled. Null: no registration is needed."
    )
    cancelled_at: datetime | None = Field(
        description="Time of the cancellation; null: not cancelled."
    )
    cancelled_because: str | None
    version: int

    @classmethod
    def of(cls, shown: Shown, now: datetime) -> "ActivityOut":
        """Build the response from an activity as it is at `now`."""
        activity, places = shown.activity, shown.places
        return cls(
            id=activity.id,
            title=activity.title,
            type=activity.type,
            venue=activity.venue,
            branch=activity.branch,
            starts_at=activity.starts_at,
            ends_at=activity.ends_at,
            speaker=activity.speaker,
            organiser=activity.organiser,
            language=activity.language,
            enquiries=activity.enquiries,
            recording=RecordingState.of(activity.recording_from, now),
            places=None if places is None else places.places,
            places_left=None if places is None else 0 if activity.cancelled_at else places.left,
            cancelled_at=activity.cancelled_at,
            cancelled_because=activity.cancelled_because,
            version=activity.version,
        )


class ActivityPage(BaseModel):
    """A page of activities, ordered by their start."""

    items: list[ActivityOut]
    next: str | None = Field(
        description="Value to send as `after` for the next page; null: this is the last page."
    )


class RecordingOut(BaseModel):
    """The address of a recording and the instant of its release."""

    url: str
    available_from: datetime


class RegistrationOut(BaseModel):
    """A patron's registration for an activity."""

    id: str
    activity_id: str
    patron_id: str
    state: RegistrationState
    position: int | None = Field(
        description="Position on the waiting list, 1 is next; null: not on the waiting list."
    )
    turn: int = Field(
        description="Ordinal among all registrations ever made for the activity, counted from 1."
    )
    registered_at: datetime
    version: int

    @classmethod
    def of(cls, registration: Registration, position: int | None) -> "RegistrationOut":
        """Build the response from a registration."""
        return cls(
            id=registration.id,
            activity_id=registration.activity_id,
            patron_id=registration.patron_id,
            state=registration.state,
            position=position,
            turn=registration.turn,
            registered_at=registration.registered_at,
            version=registration.version,
        )


class OwnRegistrationOut(RegistrationOut):
    """A registration with data of its activity."""

    title: str
    type: str
    venue: str
    starts_at: datetime
    ends_at: datetime | None

    @classmethod
    def placed(cls, placed: Placed) -> "OwnRegistrationOut":
        """Build the response from a registration and its activity."""
        registration = RegistrationOut.of(placed.registration, placed.position)
        return cls(
            **registration.model_dump(),
            title=placed.activity.title,
            type=placed.activity.type,
            venue=placed.activity.venue,
            starts_at=placed.activity.starts_at,
            ends_at=placed.activity.ends_at,
        )


class OwnRegistrations(BaseModel):
    """A patron's registrations for activities that are not over, ordered by their start."""

    items: list[OwnRegistrationOut]


class RegistrationPage(BaseModel):
    """A page of registrations, in the order of registering."""

    items: list[RegistrationOut]
    next: str | None = Field(
        description="Value to send as `after` for the next page; null: this is the last page."
    )


class ClosedDays(Body):
    """Branches that are closed on the same days."""

    branches: tuple[BranchCode, ...] = Field(min_length=1, max_length=1000)
    starts_on: Day = Field(description="First closed day.")
    reopened_on: Day | None = Field(description="First open day; null: no end is announced.")

    def closed(self, zone: tzinfo) -> Closed:
        """Convert the days to instants in the library's time zone."""
        end = self.reopened_on
        return Closed(
            self.branches,
            datetime.combine(self.starts_on, time(), zone),
            datetime.combine(end, time(), zone) if end else None,
        )


class ClosuresIn(Body):
    """Planned closures."""

    closed: tuple[ClosedDays, ...] = Field(min_length=1, max_length=1000)


class InsideOut(BaseModel):
    """An activity that falls into a closure."""

    id: str
    title: str
    type: str
    venue: str
    branch: str | None
    starts_at: datetime
    ends_at: datetime | None
    registered: int = Field(description="Number of patrons who have a place.")
    waiting: int = Field(description="Number of patrons on the waiting list.")

    @classmethod
    def of(cls, shown: Shown) -> "InsideOut":
        """Build the response from an activity and its places."""
        activity, places = shown.activity, shown.places
        return cls(
            id=activity.id,
            title=activity.title,
            type=activity.type,
            venue=activity.venue,
            branch=activity.branch,
            starts_at=activity.starts_at,
            ends_at=activity.ends_at,
            registered=places.taken if places else 0,
            waiting=places.waiting if places else 0,
        )


class InsideList(BaseModel):
    """The first activities that fall into closures, ordered by start, and the total of all."""

    items: list[InsideOut]
    total: int


def _cursor(item: ActivityOut) -> str:
    return f"{int(item.starts_at.timestamp())}.{item.id}"


def _after(cursor: str | None) -> tuple[datetime, str] | None:
    if cursor is None:
        return None
    seconds, _, activity_id = cursor.partition(".")
    try:
        return datetime.fromtimestamp(int(seconds), UTC), activity_id
    except (ValueError, OverflowError, OSError):
        raise HTTPException(422, "after: not a `next` of this list") from None


def _turn(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise HTTPException(422, "after: not a `next` of this list")
    return int(cursor)


# ---- routes -------------------------------------------------------------------------------------


@router.post("/activities", status_code=201)
async def post_activity(
    body: ActivityIn, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Publish an activity. 422 `ends-before-it-starts`."""
    activity, places = await run(
        publish_activity,
        PublishActivity(
            title=body.title,
            type=body.type,
            venue=body.venue,
            branch=body.branch,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            speaker=body.speaker,
            organiser=body.organiser,
            language=body.language,
            enquiries=body.enquiries,
            recording_from=body.recording.available_from if body.recording else None,
            recording_url=body.recording.url if body.recording else None,
            places=body.places,
        ),
    )
    return ActivityOut.of(Shown(activity, places), now)


@router.get("/activities")
async def get_activities(
    request: Request,
    db: Db,
    now: BusinessTime,
    page: PageQuery,
    *,
    type_: ByType = None,
    branch: ByBranch = None,
    from_: Annotated[
        Day | None,
        Query(
            alias="from",
            description="First day, in the library's time zone: activities that are over before it "
            "are left out.",
        ),
    ] = None,
) -> ActivityPage:
    """List activities, ordered by their start."""
    settings: Settings = request.app.state.settings
    found = await queries.activities(
        db,
        type_=type_,
        branch=branch,
        since=datetime.combine(from_, time(), settings.zone) if from_ else None,
        after=_after(page.after),
        limit=page.limit + 1,
    )
    items = [ActivityOut.of(shown, now) for shown in found]
    return ActivityPage(**page_of(items, page, _cursor))


@router.get(
    "/activities.ics",
    response_class=Response,
    responses={
        200: {
            "content": {"text/calendar": {"schema": {"type": "string"}, "example": _FEED}},
            "description": "A calendar in the iCalendar format (RFC 5545).",
        }
    },
)
async def get_feed(
    db: Db, now: BusinessTime, *, type_: ByType = None, branch: ByBranch = None
) -> Response:
    """Get a calendar feed to subscribe to, from activities of the last 31 days on."""
    found = await queries.activities(
        db, type_=type_, branch=branch, since=now - FEED_BACK, after=None, limit=FEED_ENTRIES
    )
    body = calendar([shown.activity for shown in found], now)
    return Response(body, media_type="text/calendar")


@router.get("/activities/{activity_id}")
async def get_activity(activity_id: ActivityId, db: Db, now: BusinessTime) -> ActivityOut:
    """Get an activity. 404 `no-such-activity`."""
    return ActivityOut.of(await queries.activity(db, activity_id), now)


@router.patch("/activities/{activity_id}")
async def patch_activity(
    activity_id: ActivityId, body: ActivityChange, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Change an activity's time or venue, or add places.

    Patrons who registered are notified of a new time or venue.

    404 `no-such-activity`; 409 `activity-cancelled`, `fewer-places`, `no-registration-needed`; 422
    `ends-before-it-starts`.
    """
    activity, places = await run(
        amend_activity,
        AmendActivity(
            activity_id=activity_id,
            starts_at=body.starts_at,
            ends_at=body.ends_at,
            sets_end="ends_at" in body.model_fields_set,
            venue=body.venue,
            branch=body.branch,
            sets_branch="branch" in body.model_fields_set,
            places=body.places,
        ),
    )
    return ActivityOut.of(Shown(activity, places), now)


@router.post("/activities/{activity_id}/cancellation")
async def post_cancellation(
    activity_id: ActivityId, body: CancellationIn, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Cancel an activity, which is final. Its registrations end and each patron is notified.

    404 `no-such-activity`; 409 `activity-cancelled`.
    """
    activity, places = await run(cancel_activity, CancelActivity(activity_id, body.reason))
    return ActivityOut.of(Shown(activity, places), now)


@router.get("/activities/{activity_id}/recording")
async def get_recording(activity_id: ActivityId, db: Db, now: BusinessTime) -> RecordingOut:
    """Get the address of an activity's recording.

    403 `not-yet-released` before its time, with `available_from`; 404 `no-recording`.
    """
    url, available_from = await queries.recording(db, activity_id, now)
    return RecordingOut(url=url, available_from=available_from)


@router.post(
    "/activities/{activity_id}/registration",
    status_code=201,
    responses={
        201: {"description": "The patron has a place."},
        202: {
            "model": RegistrationOut,
            "description": "All places are taken: the patron is on the waiting list.",
        },
    },
)
async def post_registration(
    activity_id: ActivityId, caller: Patron, run: Run, response: Response
) -> RegistrationOut:
    """Register for an activity, first come, first served: with a place, or on the waiting list.

    404 `no-such-activity`, `no-such-patron`; 409 `no-registration-needed`, `already-registered`,
    `activity-begun`, `activity-cancelled`.
    """
    placed = await run(register_for_activity, RegisterForActivity(activity_id, caller.id))
    if placed.position is not None:
        response.status_code = 202
    return RegistrationOut.of(placed.registration, placed.position)


@router.delete("/activities/{activity_id}/registration")
async def delete_registration(activity_id: ActivityId, caller: Patron, run: Run) -> RegistrationOut:
    """Withdraw from an activity. The place goes to the first on the waiting list.

    404 `no-such-activity`, `not-registered`; 409 `activity-begun`, `activity-cancelled`.
    """
    ended = await run(withdraw_registration, WithdrawRegistration(activity_id, caller.id))
    return RegistrationOut.of(ended, None)


@router.get("/activities/{activity_id}/registration")
async def get_registration(activity_id: ActivityId, caller: Patron, db: Db) -> OwnRegistrationOut:
    """Get the patron's own registration. 404 `no-such-activity`, `not-registered`."""
    return OwnRegistrationOut.placed(await queries.registration(db, activity_id, caller.id))


@router.get("/activities/{activity_id}/registrations")
async def get_registrations(
    activity_id: ActivityId, caller: StaffOrService, db: Db, page: PageQuery
) -> RegistrationPage:
    """List an activity's registrations in the order of registering.

    404 `no-such-activity`.
    """
    found = await queries.registrations(db, activity_id, _turn(page.after), page.limit + 1)
    items = [RegistrationOut.of(registration, position) for registration, position in found]
    return RegistrationPage(**page_of(items, page, lambda item: str(item.turn)))


@router.get("/me/registrations")
async def get_my_registrations(
    request: Request, caller: Patron, db: Db, now: BusinessTime
) -> OwnRegistrations:
    """List the patron's registrations for activities that are not over, ordered by their start."""
    zone = request.app.state.settings.zone
    found = await queries.registrations_to_come(db, caller.id, library_day(now, zone), zone)
    return OwnRegistrations(items=[OwnRegistrationOut.placed(placed) for placed in found])


@router.post("/effects/activities")
async def post_effect(
    body: ClosuresIn, request: Request, _caller: OtherService, db: Db
) -> InsideList:
    """List the activities that fall into closures and are not cancelled; nothing changes.

    The notices service, which owns the closures, calls it. The gateway does not forward it.
    """
    settings: Settings = request.app.state.settings
    closed = [one.closed(settings.zone) for one in body.closed]
    found, total = await queries.inside(db, closed, INSIDE_AT_MOST)
    return InsideList(items=[InsideOut.of(shown) for shown in found], total=total)
