"""Notifications about study rooms: cards, the standby list, free places, and closed days."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Self

from pydantic import BaseModel

from services.notices.kinds.kind import AtBranch, Known
from shared.clock import library_day
from shared.contracts.events import (
    AdmissionGranted,
    AdmissionPromoted,
    AdmissionStandby,
    BookingEndedByClosure,
    BookingRestored,
    BookingSnapshot,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class OfAdmission(AtBranch):
    """The facts of every notification about an application for a study room."""

    season_id: str
    season: str
    valid_from: date
    valid_until: date


@dataclass(frozen=True, kw_only=True)
class CardGranted(
    OfAdmission, events=[AdmissionGranted], name=marked("Admission card for a study room")
):
    """A notification of an admission card, by the draw or from the standby list."""

    waited: bool
    """True if the patron was on the standby list."""

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the room and the days of the card."""
        card = marked(
            "You have an admission card for the study room of {branch} ({season}), from "
            "{valid_from} to {valid_until}."
        )
        withdraw = marked("If you don't need it, please withdraw, so that others get your place.")
        if self.waited:
            return [marked("A place has become free."), card, withdraw]
        return [card, withdraw]


@dataclass(frozen=True, kw_only=True)
class OnStandby(OfAdmission, events=[AdmissionStandby], name=marked("Number on the standby list")):
    """A notification of a number on the standby list."""

    number: int

    @classmethod
    async def of(cls, event: AdmissionStandby, run: Run) -> Self:
        """Return the facts of the application."""
        return cls.from_event(event, number=event.standby_number or 0)

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the room and the number."""
        return [
            marked(
                "All places in the study room of {branch} ({season}) are taken. You are number "
                "{number} on the standby list."
            ),
            marked("You'll be told if you get a place."),
        ]


@dataclass(frozen=True, kw_only=True)
class PlacePassedOn(
    AtBranch, events=[AdmissionPromoted], name=marked("Place in a session of a study room")
):
    """A notification of a place in the present session that nobody took."""

    season_id: str
    season: str
    held_until: datetime

    @classmethod
    async def of(cls, event: AdmissionPromoted, run: Run) -> Self:
        """Return the facts of the place."""
        return cls.from_event(event, held_until=event.until)

    async def current(self, run: Run) -> Self | None:
        """Return the same facts while the place is held."""
        return self if run.now < self.held_until else None

    async def useful_until(self, run: Run) -> date | None:
        """Return the day of the session."""
        return library_day(self.held_until, run.settings.zone)

    sentences = (
        marked("There is a place for you now in the study room of {branch} ({season})."),
        marked("It is held for you until {held_until}. After that the next in line gets it."),
    )


class BookingState(BaseModel):
    """Events' answer: whether the place of a booking is held for its patron."""

    is_booked: bool


@dataclass(frozen=True, kw_only=True)
class OfBooking(AtBranch):
    """The facts of every notification about a booked session."""

    booking_id: str
    begins_at: datetime

    @classmethod
    async def of(cls, event: BookingSnapshot, run: Run) -> Self | None:
        """Return the facts of the session; nobody is told once it is over."""
        if event.ends_at <= run.now:
            return None
        return cls.from_event(event, begins_at=event.starts_at)

    async def useful_until(self, run: Run) -> date | None:
        """Return the day of the session."""
        return library_day(self.begins_at, run.settings.zone)

    async def is_booked(self, run: Run) -> bool:
        """Return whether the booking counts at this moment."""
        path = path_to("v1", "booking-states", self.booking_id)
        answer = await run.owners.get("events", path, now=run.now)
        return answer is not None and BookingState.model_validate(answer).is_booked


@dataclass(frozen=True, kw_only=True)
class SessionClosed(
    OfBooking, events=[BookingEndedByClosure], name=marked("Booking that a closure has ended")
):
    """A notification that a booking has ended because the library is closed."""

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless the booking has come back, or the session began."""
        over = self.begins_at <= run.now
        return None if over or await self.is_booked(run) else self

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the room and the session."""
        return [
            marked(
                "The study room of {branch} is closed on {begins_at}. Your booking for then has "
                "ended."
            ),
            marked("If the library opens after all, we'll tell you if you have your place again."),
        ]


@dataclass(frozen=True, kw_only=True)
class SessionRestored(
    OfBooking, events=[BookingRestored], name=marked("Booking that counts again")
):
    """A notification that a booking that a closure had ended counts again."""

    async def current(self, run: Run) -> Self | None:
        """Return the same facts while the booking counts and the session has not begun."""
        over = self.begins_at <= run.now
        return None if over or not await self.is_booked(run) else self

    sentences = (
        marked(
            "The study room of {branch} is open on {begins_at} after all. Your booking for "
            "then counts again."
        ),
        marked("If you don't need it, please cancel it, so that others get your place."),
    )
