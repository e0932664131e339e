"""Seasons of the study rooms: announcing, closing, the published ballot, and the draw."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, StringConstraints

from services.events.fields import BranchCode, Line, SeasonId, today_of
from services.events.refusals import NoSuchBranch
from services.events.seasons import queries, refusals
from services.events.seasons.commands.seasons import (
    announce_season,
    close_applications,
    draw_season,
)
from services.events.seasons.queries import Published
from services.events.seasons.rules.ballot import Room
from services.events.seasons.rules.season import Season, Session
from services.events.seasons.store import seasons as seasons_store
from shared.auth import Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["study rooms"])

MOST_SEASONS = 200
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]


class RoomBody(Body):
    """The study room of a library."""

    branch: BranchCode
    places: int = Field(ge=1, le=1000)
    quotas: dict[Category, Annotated[int, Field(ge=1, le=1000)]] = Field(
        default={},
        max_length=20,
        description="Number of places that go first to patrons of a category, by category.",
    )


class SessionBody(Body):
    """A part of each day, in the library's time zone."""

    opens: TimeOfDay
    closes: TimeOfDay


class SeasonBody(Body):
    """A new season."""

    name: Line
    rooms: tuple[RoomBody, ...] = Field(min_length=1, max_length=100)
    sessions: tuple[SessionBody, ...] = Field(
        min_length=1, max_length=10, description="Sessions of each day, in order."
    )
    applications_from: date
    applications_until: date = Field(description="Last day on which applications are received.")
    draw_on: date = Field(description="First day on which the places may be drawn.")
    valid_from: date
    valid_until: date = Field(description="Last day of the admission cards.")
    grace_minutes: int = Field(
        default=15,
        ge=5,
        le=120,
        description="Minutes for which a place is held in a session before it goes to the standby "
        "list.",
    )


class RoomOut(BaseModel):
    """The study room of a library."""

    branch: str
    places: int
    quotas: dict[str, int]


class SessionOut(BaseModel):
    """A part of each day, in the library's time zone."""

    opens: str
    closes: str


class SeasonOut(BaseModel):
    """A season of the study rooms."""

    id: str
    name: str
    rooms: list[RoomOut]
    sessions: list[SessionOut]
    applications_from: date
    applications_until: date
    draw_on: date
    valid_from: date
    valid_until: date
    grace_minutes: int
    commitment: str = Field(
        description="SHA-256 of the secret seed of the draw, published from the beginning."
    )
    closed_at: datetime | None = Field(
        description="Time at which the list of applications was closed; null: not yet."
    )
    list_hash: str | None = Field(description="SHA-256 of the closed list.")
    drawn_at: datetime | None = Field(description="Time of the draw; null: not yet.")

    @classmethod
    def of(cls, season: Season) -> "SeasonOut":
        """Build the response from a season."""
        return from_attributes(
            cls,
            season,
            rooms=[
                RoomOut(branch=one.branch, places=one.places, quotas=dict(one.quotas))
                for one in season.rooms
            ],
            sessions=[SessionOut(opens=one.opens, closes=one.closes) for one in season.sessions],
        )


class SeasonList(BaseModel):
    """The seasons that are not over, the first to end first."""

    items: list[SeasonOut]


class EntryOut(BaseModel):
    """An application on the published list."""

    id: str
    category: str
    branch: str


class DrawnRoomOut(BaseModel):
    """The result of the draw for one room, in the order of the draw."""

    branch: str
    granted: list[str] = Field(description="Ids of the applications that got a card.")
    standby: list[str] = Field(description="Ids of the applications on the standby list.")


class BallotOut(BaseModel):
    """All that is needed to recompute the draw: docs/study-rooms.md has the rule in ten lines."""

    season_id: str
    commitment: str = Field(description="SHA-256 of the seed.")
    list_hash: str = Field(
        description="SHA-256 of the sorted lines `id category branch` of the list."
    )
    rooms: list[RoomOut]
    entries: list[EntryOut]
    seed: str | None = Field(description="Null until the draw.")
    results: list[DrawnRoomOut] = Field(description="Empty until the draw.")

    @classmethod
    def of(cls, published: Published) -> "BallotOut":
        """Build the response from a ballot."""
        season = published.season
        return cls(
            season_id=season.id,
            commitment=season.commitment,
            list_hash=season.list_hash or "",
            rooms=SeasonOut.of(season).rooms,
            entries=[from_attributes(EntryOut, one) for one in published.entries],
            seed=season.seed,
            results=[
                DrawnRoomOut(branch=branch, granted=list(one.granted), standby=list(one.standby))
                for branch, one in published.outcomes.items()
            ],
        )


@router.post("/study-seasons", status_code=201)
@refuses(refusals.BadSeason, NoSuchBranch, refusals.SeasonsOverlap)
async def post_season(body: SeasonBody, caller: Staff, run: Run) -> SeasonOut:
    """Announce a season. Its secret seed is made now, and its hash is published at once."""
    return SeasonOut.of(
        await run(
            announce_season,
            name=body.name,
            rooms=[Room(one.branch, one.places, one.quotas) for one in body.rooms],
            sessions=[Session(one.opens, one.closes) for one in body.sessions],
            applications_from=body.applications_from,
            applications_until=body.applications_until,
            draw_on=body.draw_on,
            valid_from=body.valid_from,
            valid_until=body.valid_until,
            grace_minutes=body.grace_minutes,
        )
    )


@router.get("/study-seasons")
async def get_seasons(request: Request, db: Db, now: BusinessTime) -> SeasonList:
    """List the seasons that are not over; at most 200."""
    found = await seasons_store.find_all(db, today_of(request, now).isoformat(), MOST_SEASONS)
    return SeasonList(items=[SeasonOut.of(one) for one in found])


@router.get("/study-seasons/{season_id}")
@refuses(refusals.NoSuchSeason)
async def get_season(season_id: SeasonId, db: Db) -> SeasonOut:
    """Get a season."""
    return SeasonOut.of(await queries.season(db, season_id))


@router.get("/study-seasons/{season_id}/ballot")
@refuses(refusals.NoSuchSeason, refusals.NotClosed)
async def get_ballot(season_id: SeasonId, db: Db) -> BallotOut:
    """Get the closed list of applications and, after the draw, the seed and the result.

    It has ids only, so that anyone can recompute the draw and nobody learns who applied.
    """
    return BallotOut.of(await queries.published_ballot(db, season_id))


@router.post("/study-seasons/{season_id}/closing")
@refuses(refusals.NoSuchSeason, refusals.ApplicationsClosed, refusals.ApplicationsStillOpen)
async def post_closing(season_id: SeasonId, request: Request, caller: Staff, run: Run) -> SeasonOut:
    """Close the list of applications after the last day of receipt; it is published at once."""
    return SeasonOut.of(await run(close_applications, season_id, today_of(request, run.now)))


@router.post("/study-seasons/{season_id}/draw")
@refuses(
    refusals.NoSuchSeason,
    refusals.ApplicationsStillOpen,
    refusals.TooEarlyToDraw,
    refusals.DrawnAlready,
)
async def post_draw(season_id: SeasonId, request: Request, caller: Staff, run: Run) -> SeasonOut:
    """Draw the places: the seed is revealed, and patrons are told their result."""
    return SeasonOut.of(await run(draw_season, season_id, today_of(request, run.now)))
