"""Public activities and their recordings. Instants are UTC, to the second."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo

from services.events.domain.refusals import (
    ActivityBegun,
    ActivityCancelled,
    EndsBeforeItStarts,
    NotYetReleased,
)


@dataclass(frozen=True, slots=True)
class Activity:
    """A talk, exhibition, workshop … that the public may come to, or see a recording of."""

    id: str
    title: str
    type: str
    """As `talk`, `exhibition`, `workshop`."""
    venue: str
    branch: str | None
    """Code of the branch where it takes place, if one."""
    starts_at: datetime
    ends_at: datetime | None
    speaker: str | None
    organiser: str
    language: str | None
    enquiries: str | None
    """Telephone number."""
    recording_from: datetime | None
    """From when its recording may be seen; None: no recording."""
    cancelled_at: datetime | None = None
    """Business time, UTC; None: it takes place."""
    cancelled_because: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Recording:
    """Where the recording of an activity is: the one value that holds its address."""

    id: str
    """The activity's."""
    available_from: datetime
    url: str = field(repr=False)
    announced: bool = False
    """Whether `recording.released` was published."""


def is_released(available_from: datetime, now: datetime) -> bool:
    """Whether a recording may be seen: from its very instant on."""
    return now >= available_from


def address(recording: Recording, now: datetime) -> str:
    """Where the recording is to be seen. Raises NotYetReleased before its time."""
    if not is_released(recording.available_from, now):
        raise NotYetReleased(recording.available_from)
    return recording.url


def check_times(activity: Activity) -> None:
    """Raises EndsBeforeItStarts."""
    if activity.ends_at is not None and activity.ends_at <= activity.starts_at:
        raise EndsBeforeItStarts


def last_day(activity: Activity, zone: tzinfo) -> date:
    """The day in the library's time zone after which it is over."""
    return (activity.ends_at or activity.starts_at).astimezone(zone).date()


def is_open(activity: Activity, now: datetime) -> bool:
    """Whether places are given: until it begins, if it takes place."""
    return activity.cancelled_at is None and now < activity.starts_at


def check_open(activity: Activity, now: datetime) -> None:
    """Raises ActivityCancelled or ActivityBegun where nobody may register or withdraw any more."""
    check_takes_place(activity)
    if not is_open(activity, now):
        raise ActivityBegun


def check_takes_place(activity: Activity) -> None:
    """Raises ActivityCancelled."""
    if activity.cancelled_at is not None:
        raise ActivityCancelled


def cancel(activity: Activity, *, at: datetime, reason: str) -> Activity:
    """The activity, cancelled for good. Raises ActivityCancelled if it is already."""
    check_takes_place(activity)
    return replace(
        activity, cancelled_at=at, cancelled_because=reason, version=activity.version + 1
    )


def announce(activity: Activity) -> Activity:
    """The activity when its recording is released: a change of its own, so that it is heard."""
    return replace(activity, version=activity.version + 1)
