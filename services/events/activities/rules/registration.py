"""Registrations for an activity, with places and a waiting list: first come, first served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import Literal

from services.events.activities.refusals import FewerPlaces, OnWaitingList
from services.events.activities.rules.activity import Activity, check_day, check_takes_place

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
        raise OnWaitingList
    if registration.attended_at is not None:
        return registration
    return replace(registration, attended_at=at, version=registration.version + 1)


def withdraw_attendance(registration: Registration) -> Registration:
    """Return the registration without its attendance; the same if none is recorded.

    The activity may have been moved to a later day since. Raises OnWaitingList.
    """
    if registration.state is not RegistrationState.CONFIRMED:
        raise OnWaitingList
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
        raise FewerPlaces
    return replace(places, places=count, version=places.version + 1)


def finish(places: Places) -> Places:
    """Return the counts with no unfinished change."""
    return _step(places, places, None)


def _step(before: Places, counted: Places, unfinished_since: datetime | None) -> Places:
    return replace(counted, unfinished_since=unfinished_since, version=before.version + 1)
