"""Registering for an activity: who has a place and who waits for one, first come, first served."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal

from services.events.domain.refusals import FewerPlaces

Ending = Literal["patron", "activity", "erased"]
"""What ended a registration: its patron; that the activity is cancelled, or the patron erased."""


class RegistrationState(StrEnum):
    """Where a registration is in its life."""

    CONFIRMED = "confirmed"
    WAITLISTED = "waitlisted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Places:
    """The places of one activity, counted: what two who register at once meet in."""

    id: str
    """The activity's."""
    places: int
    taken: int = 0
    waiting: int = 0
    turns: int = 0
    """Registrations ever. Each has the count at its time as its turn."""
    unfinished_since: datetime | None = None
    """The business time of a change with more to give or to end than fits into one transaction: a
    job goes on with it. None: there is nothing left to do."""
    version: int = 1

    @property
    def left(self) -> int:
        """How many who come now get a place: none while somebody waits."""
        return 0 if self.waiting else self._free

    @property
    def to_give(self) -> int:
        """How many of those who wait can have a place now."""
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
    """Counts the registrations for the activity: who waits with a lower one is served first."""
    state: RegistrationState
    registered_at: datetime
    """Business time, UTC."""
    version: int = 1


def register(
    places: Places, *, registration_id: str, patron_id: str, at: datetime
) -> tuple[Places, Registration]:
    """A new registration, with a place or at the end of the line, and the counts after it."""
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


def end(places: Places, registration: Registration) -> tuple[Places, Registration]:
    """The registration as it ends, and the counts without it."""
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
    """These registrations as they end, and the counts without them; others may be left to end."""
    counted, ended = places, []
    for registration in registrations:
        counted, one = end(counted, registration)
        ended.append(one)
    are_left = counted.taken + counted.waiting > 0
    return _step(places, counted, at if are_left else None), ended


def give(
    places: Places, waiting: Sequence[Registration], *, at: datetime
) -> tuple[Places, list[Registration]]:
    """Those of `waiting` who get a place, and the counts after it; they stand first, in turn."""
    given = [
        replace(one, state=RegistrationState.CONFIRMED, version=one.version + 1)
        for one in waiting[: places.to_give]
    ]
    counted = replace(places, taken=places.taken + len(given), waiting=places.waiting - len(given))
    return _step(places, counted, at if counted.to_give else None), given


def enlarge(places: Places, count: int) -> Places:
    """With `count` places. Raises FewerPlaces."""
    if count < places.places:
        raise FewerPlaces
    return replace(places, places=count, version=places.version + 1)


def finish(places: Places) -> Places:
    """With nothing left to do."""
    return _step(places, places, None)


def _step(before: Places, counted: Places, unfinished_since: datetime | None) -> Places:
    return replace(counted, unfinished_since=unfinished_since, version=before.version + 1)
