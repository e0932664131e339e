"""Notifications about activities: moved, cancelled, a free place, or a released recording."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import ClassVar, Self

from pydantic import BaseModel

from services.notices.kinds.kind import Followers, Kind, Known, ListedPatrons
from services.notices.language import Language
from services.notices.patrons import store as patrons_store
from shared.clock import library_day
from shared.contracts.events import (
    ActivityRescheduled,
    RecordingReleased,
    RegistrationCancelled,
    RegistrationConfirmed,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run

WITHDRAW = marked("If you can't come, please withdraw, so that the next person gets your place.")


async def _starts_at(activity_id: str, run: Run) -> datetime | None:
    """Return the start of an activity as published last, None if it is not known."""
    known = await patrons_store.find_activities(run.database, [activity_id])
    activity = known.get(activity_id)
    return activity.starts_at if activity else None


class Registrations(BaseModel):
    """Events' answer: a page of the registrations for an activity."""

    class Item(BaseModel):
        """A registration that has not ended."""

        turn: int

    items: Sequence[Item]


async def _is_registered(activity_id: str, turn: int, run: Run) -> bool:
    """Return whether the registration with a turn has not ended."""
    path = path_to("v1", "activities", activity_id, "registrations")
    params = {"after": str(turn - 1), "limit": "1"}
    answer = await run.owners.get("events", path, now=run.now, params=params)
    found = [] if answer is None else Registrations.model_validate(answer).items
    return any(one.turn == turn for one in found)


@dataclass(frozen=True, kw_only=True)
class OfActivity(Kind):
    """The facts of every notification about an activity."""

    activity_id: str
    unknown_title: ClassVar[str] = marked("an activity that you registered for")
    """Replaces a title that is not known yet."""

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the activity has begun."""
        starts_at = await _starts_at(self.activity_id, run)
        return None if starts_at and starts_at <= run.now else self

    async def useful_until(self, run: Run) -> date | None:
        """Return the day of the activity, if it is known."""
        starts_at = await _starts_at(self.activity_id, run)
        return library_day(starts_at, run.settings.zone) if starts_at else None

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the title and the start of the activity, as far as they are known."""
        activity = known.activities.get(self.activity_id)
        title = language.quoted(activity.name if activity else None, self.unknown_title)
        if activity is None or activity.starts_at is None:
            return {"activity": title}
        starts_at = language.moment(activity.starts_at.astimezone(known.zone))
        return {"activity": title, "starts_at": starts_at}

    def has_known_start(self, known: Known) -> bool:
        """Return whether the start of the activity is known."""
        activity = known.activities.get(self.activity_id)
        return activity is not None and activity.starts_at is not None


@dataclass(frozen=True, kw_only=True)
class PlaceGiven(OfActivity, events=[RegistrationConfirmed], name=marked("Place in an activity")):
    """A notification of a place for a waiting patron; others had it in the answer."""

    turn: int | None = None
    """Ordinal of the registration; None in notifications stored before the field existed."""

    @classmethod
    async def of(cls, event: RegistrationConfirmed, run: Run) -> Self | None:
        """Return the facts of the activity if the patron had waited for a place."""
        return cls.from_event(event) if event.waited else None

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the registration has ended, or the activity has begun."""
        has_ended = self.turn and not await _is_registered(self.activity_id, self.turn, run)
        return None if has_ended else await super().current(run)

    def texts(self, known: Known) -> list[str]:
        """Return sentences that name the activity, and its start if it is known."""
        place = marked("You have a place now: {activity}.")
        if self.has_known_start(known):
            place = marked("You have a place now: {activity}, on {starts_at}.")
        return [place, WITHDRAW]


@dataclass(frozen=True, kw_only=True)
class CalledOff(OfActivity, events=[RegistrationCancelled], name=marked("Activity cancelled")):
    """A notification of a cancelled activity; a patron who withdrew is not notified."""

    @classmethod
    async def of(cls, event: RegistrationCancelled, run: Run) -> Self | None:
        """Return the facts of the activity if it is cancelled."""
        return cls.from_event(event) if event.by == "activity" else None

    def texts(self, known: Known) -> list[str]:
        """Return sentences that name the activity, and its start if it is known."""
        if self.has_known_start(known):
            return [marked("Cancelled: {activity}, on {starts_at}. Your registration has ended.")]
        return [marked("Cancelled: {activity}. Your registration has ended.")]


@dataclass(frozen=True, kw_only=True)
class Moved(OfActivity, events=[ActivityRescheduled], name=marked("Activity has changed")):
    """A notification of an activity's new time and venue, also for waiting patrons."""

    begins_at: datetime
    venue: str
    previous_begins_at: datetime | None = None
    """Previously announced start that `begins_at` replaces."""
    previous_venue: str | None = None
    """Previously announced venue that `venue` replaces."""

    @classmethod
    async def of(cls, event: ActivityRescheduled, run: Run) -> Self | None:
        """Return the new time and venue, and the announced ones, unless only texts changed."""
        if event.described_anew:
            return None
        return cls.from_event(
            event, begins_at=event.starts_at, previous_begins_at=event.previous_starts_at
        )

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the activity was moved again or has begun."""
        moved_again = await _starts_at(self.activity_id, run) not in (None, self.begins_at)
        return None if moved_again else await super().current(run)

    async def useful_until(self, run: Run) -> date | None:
        """Return the earlier day of the new start and of the one that it replaces."""
        first = min(filter(None, (self.begins_at, self.previous_begins_at)))
        return library_day(first, run.settings.zone)

    @classmethod
    def recipients(cls, event: ActivityRescheduled) -> ListedPatrons:
        """Return the patrons who are registered or waiting at this moment."""
        path = path_to("v1", "activities", event.activity_id, "registrations")
        return ListedPatrons("events", path)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the new time and venue, and with the ones that no longer apply."""
        moved = marked("Changed: {activity} begins on {begins_at}. Venue: {venue}.")
        if self.previous_begins_at is not None:
            moved = marked(
                "Changed: {activity} begins on {begins_at}, not on {previous_begins_at} as "
                "announced before. Venue: {venue}."
            )
        if self.previous_venue:
            elsewhere = marked("The venue announced before, {previous_venue}, has changed.")
            return [moved, elsewhere, WITHDRAW]
        return [moved, WITHDRAW]


@dataclass(frozen=True, kw_only=True)
class RecordingAvailable(
    OfActivity, events=[RecordingReleased], name=marked("Recording available")
):
    """A notification of a released recording, for the followers of its type of activity."""

    unknown_title: ClassVar[str] = marked("an activity of a kind that you follow")

    async def current(self, run: Run) -> Self:
        """Return the same facts: a recording is seen after the activity."""
        return self

    async def useful_until(self, run: Run) -> None:
        """Return None: a recording is seen on any later day."""

    @classmethod
    def recipients(cls, event: RecordingReleased) -> Followers:
        """Return the followers of this type of activity."""
        return Followers(activity_type=event.type)

    sentences = (marked("You can now watch the recording of {activity}."),)
