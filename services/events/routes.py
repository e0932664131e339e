"""HTTP of events. What the public may see needs no token; to register needs a patron's."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException

from services.events import queries
from services.events.domain.activity import is_released
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
from shared.auth import Patron, Staff, StaffOrService
from shared.clock import library_day
from shared.http import Body, BusinessTime, Db, PageQuery, Run, page_of

router = APIRouter(prefix="/v1", tags=["activities"])

FEED_BACK = timedelta(days=31)
"""A calendar takes the feed for all there is: what was yesterday is to stay in it for a while."""
FEED_ENTRIES = 1000
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


# ---- what is sent and answered ------------------------------------------------------------------


def _utc(instant: datetime) -> datetime:
    """In UTC, to the second: what is stored, published and answered is then one and the same."""
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
    """A recording, and from when it may be seen."""

    available_from: Instant
    url: str = Field(max_length=2000, pattern=r"^https?://[^\s]+$", repr=False)


class ActivityIn(Body):
    """A new activity."""

    title: Line
    type: ActivityType = Field(description="As `talk`, `exhibition`, `workshop`.")
    venue: Line
    branch: BranchCode | None = Field(default=None, description="Where it takes place, if in one.")
    starts_at: Instant
    ends_at: Instant | None = None
    speaker: Line | None = None
    organiser: Line
    language: Line | None = Field(default=None, description="In which it is held.")
    enquiries: Line | None = Field(default=None, description="Telephone number.")
    recording: RecordingIn | None = None
    places: PlaceCount | None = Field(
        default=None, description="How many can come; null: all, without registering."
    )


class ActivityChange(Body):
    """What is to be changed; what is not given stays as it is."""

    starts_at: Instant | None = None
    ends_at: Instant | None = None
    venue: Line | None = None
    branch: BranchCode | None = None
    places: PlaceCount | None = Field(default=None, description="More than there are.")


class CancellationIn(Body):
    """Why an activity does not take place, for all to read."""

    reason: Line


class RecordingState(BaseModel):
    """What all may know of a recording: never its address."""

    available_from: datetime
    released: bool

    @classmethod
    def of(cls, available_from: datetime | None, now: datetime) -> "RecordingState | None":
        """As it is at `now`; None where there is no recording."""
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
    places: int | None = Field(description="null: no registration is needed.")
    places_left: int | None = Field(
        description="How many who register now get a place: none while somebody waits for one."
    )
    cancelled_at: datetime | None = Field(description="null: it takes place.")
    cancelled_because: str | None
    version: int

    @classmethod
    def of(cls, shown: Shown, now: datetime) -> "ActivityOut":
        """From the activity, as it is at `now`."""
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
    """Activities by their start."""

    items: list[ActivityOut]
    next: str | None = Field(description="Send it as `after` for the next page; null: no more.")


class RecordingOut(BaseModel):
    """Where a recording is to be seen."""

    url: str
    available_from: datetime


class RegistrationOut(BaseModel):
    """A patron's registration for an activity."""

    id: str
    activity_id: str
    patron_id: str
    state: RegistrationState
    position: int | None = Field(description="1 is next in line; null: it does not wait.")
    turn: int = Field(description="Counts the registrations for the activity.")
    registered_at: datetime
    version: int

    @classmethod
    def of(cls, registration: Registration, position: int | None) -> "RegistrationOut":
        """From the registration."""
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
    """A registration with what it is for."""

    title: str
    type: str
    venue: str
    starts_at: datetime
    ends_at: datetime | None

    @classmethod
    def placed(cls, placed: Placed) -> "OwnRegistrationOut":
        """From the registration and the activity."""
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
    """A patron's registrations for what is not over, by the start of each."""

    items: list[OwnRegistrationOut]


class RegistrationPage(BaseModel):
    """Who registered, first come first."""

    items: list[RegistrationOut]
    next: str | None = Field(description="Send it as `after` for the next page; null: no more.")


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
        date | None,
        Query(
            alias="from",
            description="What is over before this day, in the library's time zone, is left out.",
            ge=date(1900, 1, 1),  # midnight of the year 1 may have no equivalent in UTC
        ),
    ] = None,
) -> ActivityPage:
    """Activities by their start."""
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
            "description": "iCalendar (RFC 5545).",
        }
    },
)
async def get_feed(
    db: Db, now: BusinessTime, *, type_: ByType = None, branch: ByBranch = None
) -> Response:
    """Activities as a calendar to subscribe to: of the last 31 days, that are on, and to come."""
    found = await queries.activities(
        db, type_=type_, branch=branch, since=now - FEED_BACK, after=None, limit=FEED_ENTRIES
    )
    body = calendar([shown.activity for shown in found], now)
    return Response(body, media_type="text/calendar")


@router.get("/activities/{activity_id}")
async def get_activity(activity_id: ActivityId, db: Db, now: BusinessTime) -> ActivityOut:
    """An activity. 404 `no-such-activity`."""
    return ActivityOut.of(await queries.activity(db, activity_id), now)


@router.patch("/activities/{activity_id}")
async def patch_activity(
    activity_id: ActivityId, body: ActivityChange, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Change when or where it takes place, of which who registered is told, or add places.

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
    """Cancel it for good. Its registrations end, of which each patron is told.

    404 `no-such-activity`; 409 `activity-cancelled`.
    """
    activity, places = await run(cancel_activity, CancelActivity(activity_id, body.reason))
    return ActivityOut.of(Shown(activity, places), now)


@router.get("/activities/{activity_id}/recording")
async def get_recording(activity_id: ActivityId, db: Db, now: BusinessTime) -> RecordingOut:
    """Where the recording is to be seen.

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
    """Register, first come, first served: with a place, or on the waiting list.

    404 `no-such-activity`, `no-such-patron`; 409 `no-registration-needed`, `already-registered`,
    `activity-begun`, `activity-cancelled`.
    """
    placed = await run(register_for_activity, RegisterForActivity(activity_id, caller.id))
    if placed.position is not None:
        response.status_code = 202
    return RegistrationOut.of(placed.registration, placed.position)


@router.delete("/activities/{activity_id}/registration")
async def delete_registration(activity_id: ActivityId, caller: Patron, run: Run) -> RegistrationOut:
    """Withdraw. The place goes to the first who waits.

    404 `no-such-activity`, `not-registered`; 409 `activity-begun`, `activity-cancelled`.
    """
    ended = await run(withdraw_registration, WithdrawRegistration(activity_id, caller.id))
    return RegistrationOut.of(ended, None)


@router.get("/activities/{activity_id}/registration")
async def get_registration(activity_id: ActivityId, caller: Patron, db: Db) -> OwnRegistrationOut:
    """The patron's own registration. 404 `no-such-activity`, `not-registered`."""
    return OwnRegistrationOut.placed(await queries.registration(db, activity_id, caller.id))


@router.get("/activities/{activity_id}/registrations")
async def get_registrations(
    activity_id: ActivityId, caller: StaffOrService, db: Db, page: PageQuery
) -> RegistrationPage:
    """Who registered, first come first: those with a place, then those who wait.

    404 `no-such-activity`.
    """
    found = await queries.registrations(db, activity_id, _turn(page.after), page.limit + 1)
    items = [RegistrationOut.of(registration, position) for registration, position in found]
    return RegistrationPage(**page_of(items, page, lambda item: str(item.turn)))


@router.get("/me/registrations")
async def get_my_registrations(
    request: Request, caller: Patron, db: Db, now: BusinessTime
) -> OwnRegistrations:
    """The patron's registrations for what is not over, by the start of each."""
    zone = request.app.state.settings.zone
    found = await queries.registrations_to_come(db, caller.id, library_day(now, zone), zone)
    return OwnRegistrations(items=[OwnRegistrationOut.placed(placed) for placed in found])
