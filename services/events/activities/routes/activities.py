"""Activities: publish, list, change, cancel, and the address of a recording."""

from datetime import UTC, datetime, time
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from services.events.activities import queries, refusals
from services.events.activities.commands.programme import (
    amend_activity,
    cancel_activity,
    publish_activity,
)
from services.events.activities.queries import Shown
from services.events.activities.routes.descriptions import AboutIn, AboutOut, about_fields
from services.events.activities.rules import About, is_released
from services.events.fields import (
    ActivityId,
    ActivityType,
    BranchCode,
    ByBranch,
    ByType,
    Instant,
    Line,
    PlaceCount,
    WebAddress,
)
from services.events.refusals import NoSuchBranch
from services.events.settings import Settings
from shared.auth import Staff
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["activities"])


class RecordingIn(Body):
    """A recording's address and the instant from which it may be seen."""

    available_from: Instant
    url: WebAddress = Field(repr=False)


class ActivityIn(AboutIn):
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


class ActivityChange(AboutIn):
    """The fields to change; a field that is not given stays as it is."""

    title: Line | None = None
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


class ActivityOut(AboutOut):
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
        return from_attributes(
            cls,
            activity,
            recording=RecordingState.of(activity.recording_from, now),
            places=None if places is None else places.places,
            places_left=None if places is None else 0 if activity.cancelled_at else places.left,
            **about_fields(activity),
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


@router.post("/activities", status_code=201)
@refuses(refusals.EndsBeforeItStarts, refusals.AgesReversed, NoSuchBranch)
async def post_activity(
    body: ActivityIn, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Publish an activity."""
    activity, places = await run(
        publish_activity,
        title=body.title,
        type_=body.type,
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
        about=About(**body.given()),
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


@router.get("/activities/{activity_id}")
@refuses(refusals.NoSuchActivity)
async def get_activity(activity_id: ActivityId, db: Db, now: BusinessTime) -> ActivityOut:
    """Get an activity."""
    return ActivityOut.of(await queries.activity(db, activity_id), now)


@router.patch("/activities/{activity_id}")
@refuses(
    refusals.NoSuchActivity,
    NoSuchBranch,
    refusals.ActivityCancelled,
    refusals.FewerPlaces,
    refusals.NoRegistrationNeeded,
    refusals.EndsBeforeItStarts,
    refusals.AgesReversed,
)
async def patch_activity(
    activity_id: ActivityId, body: ActivityChange, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Change an activity's time, venue or description, or add places.

    Patrons who registered are notified of a new time or venue.
    """
    activity, places = await run(
        amend_activity,
        activity_id=activity_id,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        sets_end="ends_at" in body.model_fields_set,
        venue=body.venue,
        branch=body.branch,
        sets_branch="branch" in body.model_fields_set,
        places=body.places,
        title=body.title,
        about=body.given(),
    )
    return ActivityOut.of(Shown(activity, places), now)


@router.post("/activities/{activity_id}/cancellation")
@refuses(refusals.NoSuchActivity, refusals.ActivityCancelled)
async def post_cancellation(
    activity_id: ActivityId, body: CancellationIn, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Cancel an activity, which is final. Its registrations end and each patron is notified."""
    activity, places = await run(cancel_activity, activity_id, body.reason)
    return ActivityOut.of(Shown(activity, places), now)


@router.get("/activities/{activity_id}/recording")
@refuses(refusals.NoSuchActivity, refusals.NoRecording, refusals.NotYetReleased)
async def get_recording(activity_id: ActivityId, db: Db, now: BusinessTime) -> RecordingOut:
    """Get the address of an activity's recording.

    Before its release the problem has `available_from`, the instant of the release.
    """
    url, available_from = await queries.recording(db, activity_id, now)
    return RecordingOut(url=url, available_from=available_from)
