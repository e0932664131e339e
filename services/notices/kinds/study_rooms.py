"""Notifications about study rooms: cards, the standby list, free places, and closed days."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Self

from pydantic import BaseModel

from services.notices.kinds.kind import Kind, Known
from services.notices.language import Language
from shared.clock import library_day
from shared.contracts.events import (
    AdmissionGranted,
    AdmissionPromoted,
    AdmissionSnapshot,
    AdmissionStandby,
    BookingEndedByClosure,
    BookingRestored,
    BookingSnapshot,
)
from shared.owners import path_to
from shared.translations import marked
from shared.unit_of_work import Run


def _identity(event: AdmissionSnapshot) -> dict[str, Any]:
    """Return the facts of every application."""
    return {
        "season_id": event.season_id,
        "season": event.season,
        "branch": event.branch,
        "valid_from": event.valid_from,
        "valid_until": event.valid_until,
    }


@dataclass(frozen=True, kw_only=True)
class OfAdmission(Kind):
    """The facts of every notification about an application for a study room."""

    season_id: str
    season: str
    branch: str
    valid_from: date
    valid_until: date

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the name of the library."""
        return {"branch": known.branches.get(self.branch, self.branch)}


@dataclass(frozen=True, kw_only=True)
class CardGranted(
    OfAdmission, events=[AdmissionGranted], name=marked("Admission card for a study room")
):
    """A notification of an admission card, by the draw or from the standby list."""

    waited: bool
    """True if the patron was on the standby list."""

    @classmethod
    async def of(cls, event: AdmissionGranted, run: Run) -> Self:
        """Return the facts of the card."""
        return cls(**_identity(event), waited=event.waited)

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
        return cls(**_identity(event), number=event.standby_number or 0)

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
    Kind, events=[AdmissionPromoted], name=marked("Place in a session of a study room")
):
    """A notification of a place in the present session that nobody took."""

    season_id: str
    season: str
    branch: str
    held_until: datetime

    @classmethod
    async def of(cls, event: AdmissionPromoted, run: Run) -> Self:
        """Return the facts of the place."""
        return cls(
            season_id=event.season_id,
            season=event.season,
            branch=event.branch,
            held_until=event.until,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the same facts while the place is held."""
        return self if run.now < self.held_until else None

    async def useful_until(self, run: Run) -> date | None:
        """Return the day of the session."""
        return library_day(self.held_until, run.settings.zone)

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the name of the library."""
        return {"branch": known.branches.get(self.branch, self.branch)}

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the room, and until when the place is held."""
        return [
            marked("There is a place for you now in the study room of {branch} ({season})."),
            marked("It is held for you until {held_until}. After that the next in line gets it."),
        ]


class BookingState(BaseModel):
    """Events' answer: whether the place of a booking is held for its patron."""

    is_booked: bool


@dataclass(frozen=True, kw_only=True)
class OfBooking(Kind):
    """The facts of every notification about a booked session."""

    booking_id: str
    branch: str
    begins_at: datetime

    @classmethod
    async def of(cls, event: BookingSnapshot, run: Run) -> Self | None:
        """Return the facts of the session; nobody is told once it is over."""
        if event.ends_at <= run.now:
            return None
        return cls(booking_id=event.booking_id, branch=event.branch, begins_at=event.starts_at)

    async def useful_until(self, run: Run) -> date | None:
        """Return the day of the session."""
        return library_day(self.begins_at, run.settings.zone)

    def names(self, known: Known, language: Language) -> dict[str, str]:
        """Return the name of the library."""
        return {"branch": known.branches.get(self.branch, self.branch)}

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

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the room and the session."""
        return [
            marked(
                "The study room of {branch} is open on {begins_at} after all. Your booking for "
                "then counts again."
            ),
            marked("If you don't need it, please cancel it, so that others get your place."),
        ]
