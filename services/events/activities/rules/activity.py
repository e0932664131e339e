"""Public activities and their recordings. Instants are UTC, to the second."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo

from services.events.activities.refusals import (
    ActivityBegun,
    ActivityCancelled,
    AgesReversed,
    EndsBeforeItStarts,
    NotItsDay,
    NotYetReleased,
    OutsideAges,
)


@dataclass(frozen=True, slots=True)
class Wording:
    """The texts of an activity in one language; None: as in the activity itself."""

    title: str | None = None
    venue: str | None = None
    abstract: str | None = None


@dataclass(frozen=True, slots=True)
class About:
    """The description of an activity for the public, beyond its time and place."""

    abstract: str | None = None
    remarks: str | None = None
    languages: tuple[str, ...] = ()
    """Languages in which it is held, by BCP 47."""
    audience: str | None = None
    """Group that it is meant for, such as `children`; None: not said."""
    minimum_age: int | None = None
    """Lowest age in years, on its first day, of those who may take part; None: no limit."""
    maximum_age: int | None = None
    wordings: Mapping[str, Wording] = field(default_factory=dict)
    """The texts in other languages of the page, by language."""


@dataclass(frozen=True, slots=True)
class Activity:
    """A public activity, such as a talk, exhibition or workshop, with or without a recording."""

    id: str
    title: str
    type: str
    """Type, such as `talk`, `exhibition` or `workshop`."""
    venue: str
    branch: str | None
    """Code of the branch where it takes place; None if it is not in a branch."""
    starts_at: datetime
    ends_at: datetime | None
    speaker: str | None
    organiser: str
    language: str | None
    enquiries: str | None
    """Telephone number for enquiries."""
    recording_from: datetime | None
    """Instant from which its recording may be seen; None: no recording."""
    cancelled_at: datetime | None = None
    """Instant of cancellation (business time, UTC); None: it takes place."""
    cancelled_because: str | None = None
    version: int = 1
    about: About = About()


@dataclass(frozen=True, slots=True)
class Recording:
    """The recording of an activity; the only value that holds its address."""

    id: str
    """Id of the activity."""
    available_from: datetime
    url: str = field(repr=False)
    announced: bool = False
    """True if `recording.released` was published."""


@dataclass(frozen=True, slots=True)
class Closed:
    """Branches that are closed from `since` until before `until`; None: no end announced."""

    branches: tuple[str, ...]
    since: datetime
    until: datetime | None


def is_released(available_from: datetime, now: datetime) -> bool:
    """Return True if a recording may be seen: from the instant `available_from` on."""
    return now >= available_from


def address(recording: Recording, now: datetime) -> str:
    """Return the address of the recording. Raises NotYetReleased before its release."""
    if not is_released(recording.available_from, now):
        raise NotYetReleased(recording.available_from)
    return recording.url


def check_times(activity: Activity) -> None:
    """Raise EndsBeforeItStarts if the activity ends before or when it starts."""
    if activity.ends_at is not None and activity.ends_at <= activity.starts_at:
        raise EndsBeforeItStarts


def check_ages(about: About) -> None:
    """Raise AgesReversed if the lowest age is above the highest."""
    lowest, highest = about.minimum_age, about.maximum_age
    if lowest is not None and highest is not None and lowest > highest:
        raise AgesReversed


def is_for_ages(activity: Activity) -> bool:
    """Return True if the activity is only for people of some ages."""
    return activity.about.minimum_age is not None or activity.about.maximum_age is not None


def check_age(activity: Activity, born_on: date | None, zone: tzinfo) -> None:
    """Raise OutsideAges if the age on the activity's first day is known, and is none of its ages.

    Somebody born on 29 February has a birthday on 1 March of other years, as for a junior's coming
    of age.
    """
    if born_on is None:
        return
    day = activity.starts_at.astimezone(zone).date()
    age = day.year - born_on.year - ((day.month, day.day) < (born_on.month, born_on.day))
    lowest, highest = activity.about.minimum_age, activity.about.maximum_age
    if (lowest is not None and age < lowest) or (highest is not None and age > highest):
        raise OutsideAges


def last_day(activity: Activity, zone: tzinfo) -> date:
    """Return the activity's last day in the library's time zone."""
    return (activity.ends_at or activity.starts_at).astimezone(zone).date()


def is_open(activity: Activity, now: datetime) -> bool:
    """Return True if registration is open: until the activity begins, unless it is cancelled."""
    return activity.cancelled_at is None and now < activity.starts_at


def check_open(activity: Activity, now: datetime) -> None:
    """Raise ActivityCancelled or ActivityBegun if nobody may register or withdraw any more."""
    check_takes_place(activity)
    if not is_open(activity, now):
        raise ActivityBegun


def check_takes_place(activity: Activity) -> None:
    """Raise ActivityCancelled if the activity is cancelled."""
    if activity.cancelled_at is not None:
        raise ActivityCancelled


def check_day(activity: Activity, now: datetime, zone: tzinfo) -> None:
    """Raise NotItsDay before the activity's first day in the library's time zone."""
    if now.astimezone(zone).date() < activity.starts_at.astimezone(zone).date():
        raise NotItsDay


def cancel(activity: Activity, *, at: datetime, reason: str) -> Activity:
    """Return the activity as cancelled for good. Raises ActivityCancelled if it is already."""
    check_takes_place(activity)
    return replace(
        activity, cancelled_at=at, cancelled_because=reason, version=activity.version + 1
    )


def announce(activity: Activity) -> Activity:
    """Return the activity with a new version, so that views apply the release of its recording."""
    return replace(activity, version=activity.version + 1)
