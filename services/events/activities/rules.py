"""Rules of activities, their places and registrations."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from enum import StrEnum
from typing import Literal

from services.events.activities import refusals


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
        raise refusals.NotYetReleased(
            available_from=recording.available_from.isoformat().replace("+00:00", "Z")
        )
    return recording.url


def check_times(activity: Activity) -> None:
    """Raise EndsBeforeItStarts if the activity ends before or when it starts."""
    if activity.ends_at is not None and activity.ends_at <= activity.starts_at:
        raise refusals.EndsBeforeItStarts


def check_ages(about: About) -> None:
    """Raise AgesReversed if the lowest age is above the highest."""
    lowest, highest = about.minimum_age, about.maximum_age
    if lowest is not None and highest is not None and lowest > highest:
        raise refusals.AgesReversed


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
        raise refusals.OutsideAges


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
        raise refusals.ActivityBegun


def check_not_over(activity: Activity, now: datetime, zone: tzinfo) -> None:
    """Raise ActivityCancelled, or ActivityBegun if the activity's last day is over."""
    check_takes_place(activity)
    if last_day(activity, zone) < now.astimezone(zone).date():
        raise refusals.ActivityBegun


def check_takes_place(activity: Activity) -> None:
    """Raise ActivityCancelled if the activity is cancelled."""
    if activity.cancelled_at is not None:
        raise refusals.ActivityCancelled


def check_day(activity: Activity, now: datetime, zone: tzinfo) -> None:
    """Raise NotItsDay before the activity's first day in the library's time zone."""
    if now.astimezone(zone).date() < activity.starts_at.astimezone(zone).date():
        raise refusals.NotItsDay


def cancel(activity: Activity, *, at: datetime, reason: str) -> Activity:
    """Return the activity as cancelled for good. Raises ActivityCancelled if it is already."""
    check_takes_place(activity)
    return replace(
        activity, cancelled_at=at, cancelled_because=reason, version=activity.version + 1
    )


def announce(activity: Activity) -> Activity:
    """Return the activity with a new version, so that views apply the release of its recording."""
    return replace(activity, version=activity.version + 1)


Ending = Literal["patron", "activity", "erased"]
"""Cause of a registration's end: withdrawn by the patron, activity cancelled, or patron erased."""


class RegistrationState(StrEnum):
    """State of a registration."""

    CONFIRMED = "confirmed"
    WAITLISTED = "waitlisted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Places:
    """Counts of an activity's places. Concurrent registrations both write them, and so conflict."""

    id: str
    """Id of the activity."""
    places: int
    taken: int = 0
    waiting: int = 0
    turns: int = 0
    """Number of registrations ever made. Each gets the count at its time as its turn."""
    unfinished_since: datetime | None = None
    """Business time of a change that gives or ends more than fits into one transaction; a job
    continues it. None: no work is left."""
    version: int = 1

    @property
    def left(self) -> int:
        """Number of places for new registrations: 0 while somebody is on the waiting list."""
        return 0 if self.waiting else self._free

    @property
    def to_give(self) -> int:
        """Number of waiting registrations that can get a place now."""
        return min(self.waiting, self._free)

    @property
    def _free(self) -> int:
        return max(self.places - self.taken, 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One patron's registration for one activity. It is deleted when it ends."""

    id: str
    activity_id: str
    patron_id: str
    turn: int
    """Position in the order of registering; a lower one is served first."""
    state: RegistrationState
    registered_at: datetime
    """Instant of registering (business time, UTC)."""
    attended_at: datetime | None = None
    """Instant of recording that the patron came (business time, UTC); None: not recorded."""
    version: int = 1


def register(
    places: Places, *, registration_id: str, patron_id: str, at: datetime
) -> tuple[Places, Registration]:
    """Register a patron: with a place, or at the end of the waiting list.

    Returns the counts and the new registration.
    """
    gets_one = places.left > 0
    counted = replace(
        places,
        taken=places.taken + gets_one,
        waiting=places.waiting + (not gets_one),
        turns=places.turns + 1,
        version=places.version + 1,
    )
    registration = Registration(
        id=registration_id,
        activity_id=places.id,
        patron_id=patron_id,
        turn=counted.turns,
        state=RegistrationState.CONFIRMED if gets_one else RegistrationState.WAITLISTED,
        registered_at=at,
    )
    return counted, registration


def attend(
    registration: Registration, activity: Activity, *, at: datetime, zone: tzinfo
) -> Registration:
    """Return the registration of a patron who came to the activity; the same if that is recorded.

    Raises ActivityCancelled, NotItsDay or OnWaitingList.
    """
    check_takes_place(activity)
    check_day(activity, at, zone)
    if registration.state is not RegistrationState.CONFIRMED:
        raise refusals.OnWaitingList
    if registration.attended_at is not None:
        return registration
    return replace(registration, attended_at=at, version=registration.version + 1)


def withdraw_attendance(registration: Registration) -> Registration:
    """Return the registration without its attendance; the same if none is recorded.

    The activity may have been moved to a later day since. Raises OnWaitingList.
    """
    if registration.state is not RegistrationState.CONFIRMED:
        raise refusals.OnWaitingList
    if registration.attended_at is None:
        return registration
    return replace(registration, attended_at=None, version=registration.version + 1)


def end(places: Places, registration: Registration) -> tuple[Places, Registration]:
    """End a registration; return the counts without it and its last state."""
    had_one = registration.state is RegistrationState.CONFIRMED
    counted = replace(
        places,
        taken=places.taken - had_one,
        waiting=places.waiting - (not had_one),
        version=places.version + 1,
    )
    ended = replace(
        registration, state=RegistrationState.CANCELLED, version=registration.version + 1
    )
    return counted, ended


def end_all(
    places: Places, registrations: Sequence[Registration], *, at: datetime
) -> tuple[Places, list[Registration]]:
    """End these registrations; return the counts without them and their last states.

    If other registrations are left, the change stays unfinished.
    """
    counted, ended = places, []
    for registration in registrations:
        counted, one = end(counted, registration)
        ended.append(one)
    are_left = counted.taken + counted.waiting > 0
    return _step(places, counted, at if are_left else None), ended


def give(
    places: Places, waiting: Sequence[Registration], *, at: datetime
) -> tuple[Places, list[Registration]]:
    """Give free places to the first of `waiting`; return the counts and these registrations.

    `waiting` is the start of the waiting list, in turn.
    """
    given = [
        replace(one, state=RegistrationState.CONFIRMED, version=one.version + 1)
        for one in waiting[: places.to_give]
    ]
    counted = replace(places, taken=places.taken + len(given), waiting=places.waiting - len(given))
    return _step(places, counted, at if counted.to_give else None), given


def enlarge(places: Places, count: int) -> Places:
    """Return the counts with `count` places. Raises FewerPlaces."""
    if count < places.places:
        raise refusals.FewerPlaces
    return replace(places, places=count, version=places.version + 1)


def finish(places: Places) -> Places:
    """Return the counts with no unfinished change."""
    return _step(places, places, None)


def _step(before: Places, counted: Places, unfinished_since: datetime | None) -> Places:
    return replace(counted, unfinished_since=unfinished_since, version=before.version + 1)
