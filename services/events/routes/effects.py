"""The effects that a planned closure would have on activities."""

from datetime import datetime, time, tzinfo

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.events import queries
from services.events.domain.activity import Closed
from services.events.queries import Shown
from services.events.routes.fields import BranchCode
from services.events.settings import Settings
from shared.auth import OtherService
from shared.http.bodies import Body, Day
from shared.http.dependencies import Db

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
        return cls(
            id=activity.id,
            title=activity.title,
            type=activity.type,
            venue=activity.venue,
            branch=activity.branch,
            starts_at=activity.starts_at,
            ends_at=activity.ends_at,
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
    found, total = await queries.inside(db, closed, INSIDE_AT_MOST)
    return InsideList(items=[InsideOut.of(shown) for shown in found], total=total)
