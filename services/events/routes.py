"""HTTP of events. What the public may see needs no token."""

from datetime import UTC, date, datetime, time
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import AfterValidator, AwareDatetime, BaseModel, Field, StringConstraints
from starlette.exceptions import HTTPException

from services.events import queries
from services.events.domain.activity import Activity, is_released
from services.events.settings import Settings
from services.events.usecases.publish_activity import PublishActivity, publish_activity
from shared.auth import Staff
from shared.http import Body, BusinessTime, Db, PageQuery, Run, page_of

router = APIRouter(prefix="/v1", tags=["activities"])


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
    version: int

    @classmethod
    def of(cls, activity: Activity, now: datetime) -> "ActivityOut":
        """From the activity, as it is at `now`."""
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


# ---- routes -------------------------------------------------------------------------------------


@router.post("/activities", status_code=201)
async def post_activity(
    body: ActivityIn, caller: Staff, now: BusinessTime, run: Run
) -> ActivityOut:
    """Publish an activity. 422 `ends-before-it-starts`."""
    activity = await run(
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
        ),
    )
    return ActivityOut.of(activity, now)


@router.get("/activities")
async def get_activities(
    request: Request,
    db: Db,
    now: BusinessTime,
    page: PageQuery,
    *,
    type_: Annotated[ActivityType | None, Query(alias="type")] = None,
    branch: Annotated[BranchCode | None, Query()] = None,
    from_: Annotated[
        date | None,
        Query(
            alias="from",
            description="First day, in the library's time zone.",
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
    items = [ActivityOut.of(activity, now) for activity in found]
    return ActivityPage(**page_of(items, page, _cursor))


@router.get("/activities/{activity_id}")
async def get_activity(activity_id: ActivityId, db: Db, now: BusinessTime) -> ActivityOut:
    """An activity. 404 `no-such-activity`."""
    return ActivityOut.of(await queries.activity(db, activity_id), now)


@router.get("/activities/{activity_id}/recording")
async def get_recording(activity_id: ActivityId, db: Db, now: BusinessTime) -> RecordingOut:
    """Where the recording is to be seen.

    403 `not-yet-released` before its time, with `available_from`; 404 `no-recording`.
    """
    url, available_from = await queries.recording(db, activity_id, now)
    return RecordingOut(url=url, available_from=available_from)
