"""The effects that a planned closure would have on activities and study rooms."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, time, tzinfo

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.events.activities import queries as activities_queries
from services.events.activities.queries import Shown
from services.events.activities.rules import Closed
from services.events.closures.commands import (
    SeasonSession,
    calendar_of,
    preview_calendars,
    trigger_of,
)
from services.events.fields import BranchCode
from services.events.settings import Settings
from shared.auth import OtherService
from shared.contracts import Event
from shared.contracts.events import BookingEndedByClosure, BookingRestored
from shared.contracts.notices import BranchSnapshot
from shared.http.bodies import Body, Day, from_attributes
from shared.http.dependencies import Db, Run

router = APIRouter(prefix="/v1", tags=["activities"])

INSIDE_AT_MOST = 100
"""Maximum number of activities inside closures that are listed."""


class ClosedDays(Body):
    """Branches that are closed on the same days."""

    branches: tuple[BranchCode, ...] = Field(min_length=1, max_length=1000)
    starts_on: Day = Field(description="First closed day.")
    reopened_on: Day | None = Field(description="First open day; null: no end is announced.")

    def closed(self, zone: tzinfo) -> Closed:
        """Convert the days to instants in the library's time zone."""
        end = self.reopened_on
        return Closed(
            self.branches,
            datetime.combine(self.starts_on, time(), zone),
            datetime.combine(end, time(), zone) if end else None,
        )


class ClosuresIn(Body):
    """Planned closures."""

    closed: tuple[ClosedDays, ...] = Field(min_length=1, max_length=1000)


class InsideOut(BaseModel):
    """An activity that falls into a closure."""

    id: str
    title: str
    type: str
    venue: str
    branch: str | None
    starts_at: datetime
    ends_at: datetime | None
    registered: int = Field(description="Number of patrons who have a place.")
    waiting: int = Field(description="Number of patrons on the waiting list.")

    @classmethod
    def of(cls, shown: Shown) -> "InsideOut":
        """Build the response from an activity and its places."""
        activity, places = shown.activity, shown.places
        return from_attributes(
            cls,
            activity,
            registered=places.taken if places else 0,
            waiting=places.waiting if places else 0,
        )


class InsideList(BaseModel):
    """The first activities that fall into closures, ordered by start, and the total of all."""

    items: list[InsideOut]
    total: int


@router.post("/effects/activities")
async def post_effect(
    body: ClosuresIn, request: Request, _caller: OtherService, db: Db
) -> InsideList:
    """List the activities that fall into closures and are not cancelled; nothing changes.

    The notices service, which owns the closures, calls it. The gateway does not forward it.
    """
    settings: Settings = request.app.state.settings
    closed = [one.closed(settings.zone) for one in body.closed]
    found, total = await activities_queries.inside(db, closed, INSIDE_AT_MOST)
    return InsideList(items=[InsideOut.of(shown) for shown in found], total=total)


class CalendarsIn(Body):
    """Branches with planned calendars, each as the payload of the event that would publish it."""

    branches: tuple[BranchSnapshot, ...] = Field(min_length=1, max_length=500)


class SessionInsideOut(BaseModel):
    """A session of a study room that would not take place."""

    branch: str
    starts_at: datetime
    ends_at: datetime
    season: str | None = Field(description="Name of the season; null: the session is booked.")
    patrons: int = Field(description="Number of bookings, or of admission cards of the season.")


class StudyRoomsEffectOut(BaseModel):
    """The first sessions that would not take place, by their start, and what changes in all."""

    items: list[SessionInsideOut]
    total: int = Field(description="Number of all these sessions.")
    bookings_ended: int
    bookings_restored: int = Field(
        description="Number of bookings that a closure ended, and that would count again."
    )

    @classmethod
    def of(
        cls, of_seasons: Iterable[SeasonSession], events: Sequence[Event]
    ) -> "StudyRoomsEffectOut":
        """Build the response from sessions of seasons, and the events of bookings."""
        ended = Counter(
            (one.branch, one.starts_at, one.ends_at)
            for one in events
            if isinstance(one, BookingEndedByClosure)
        )
        booked = [
            SessionInsideOut(
                branch=branch, starts_at=starts_at, ends_at=ends_at, season=None, patrons=count
            )
            for (branch, starts_at, ends_at), count in ended.items()
        ]
        drawn = [
            from_attributes(
                SessionInsideOut, one.sitting, season=one.season.name, patrons=one.cards
            )
            for one in of_seasons
        ]
        found = sorted(
            [*booked, *drawn], key=lambda one: (one.starts_at, one.branch, one.season or "")
        )
        return cls(
            items=found[:INSIDE_AT_MOST],
            total=len(found),
            bookings_ended=ended.total(),
            bookings_restored=sum(isinstance(one, BookingRestored) for one in events),
        )


@router.post("/effects/study-rooms")
async def post_study_rooms_effect(
    body: CalendarsIn, _caller: OtherService, run: Run
) -> StudyRoomsEffectOut:
    """Return what changed calendars would do to sessions in study rooms; nothing changes.

    The notices service, which owns the calendars, calls it. The gateway does not forward it.
    """
    trigger = trigger_of(run.origin)
    calendars = [replace(calendar_of(branch), unsettled=trigger) for branch in body.branches]
    return StudyRoomsEffectOut.of(
        *await run.try_out(preview_calendars, calendars, run.settings.zone)
    )
