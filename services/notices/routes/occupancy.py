"""Routes of the people inside a branch: how full it is, counting at the doors, and the queue."""

import datetime as dt
import secrets
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from services.notices import store
from services.notices.domain import occupancy as rules
from services.notices.domain.refusals import NoSuchBranch
from services.notices.domain.visit_refusals import (
    BranchFull,
    BranchIsClosed,
    NoSuchVenue,
    NotFull,
    QueueFull,
    TooManyDoors,
)
from services.notices.queries.occupancy import Fullness, fullness, fullness_at_venue
from services.notices.routes.fields import Id
from services.notices.usecases.count_visitors import CountVisitors, count_visitors
from services.notices.usecases.join_queue import JoinQueue, join_queue
from services.notices.usecases.renew_venue import RenewVenue, renew_venue
from shared.auth import Desk, Staff
from shared.http.bodies import ONE_LINE, Body
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["visits"])

VenueCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
DoorName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), ONE_LINE
]
People = Annotated[int, Field(ge=0, le=100)]


class CountBody(Body):
    """People counted at a door; those who leave are counted first."""

    door: DoorName
    entered: People = 0
    left: People = 0


class QueueBody(Body):
    """The queue to join, by the code at the door."""

    venue: VenueCode


class SlotOut(BaseModel):
    """A quarter of an hour of today."""

    at: dt.datetime
    most: int = Field(description="Greatest number of people inside at one time.")
    inside: int = Field(description="Number of people inside at its end.")


class DoorOut(BaseModel):
    """The people counted at a door today."""

    name: str
    entered: int
    left: int


class OccupancyOut(BaseModel):
    """The number of people inside a branch now, without anything about a person."""

    branch: str
    open: bool
    inside: int
    capacity: int | None = Field(description="Maximum number of people inside; null: no limit.")
    level: Literal["quiet", "busy", "full"] = Field(
        description="`busy` from 80 % of the capacity on; `full`: join the queue."
    )
    waiting: int = Field(description="Number of people in the queue.")
    wait_minutes: int | None = Field(
        description="Estimated wait of a person who joins the queue now; null: not known."
    )
    entered: int = Field(description="Number of people who have entered today.")
    slots: list[SlotOut] = Field(description="Those in which people were counted, oldest first.")
    doors: list[DoorOut]

    @classmethod
    def of(cls, found: Fullness) -> "OccupancyOut":
        """Build the answer from a branch with its occupancy."""
        now = found.occupancy
        return cls(
            branch=found.branch.id,
            open=found.open,
            inside=now.inside,
            capacity=found.capacity,
            level=rules.level(now, found.capacity),
            waiting=now.waiting,
            wait_minutes=found.wait_minutes,
            entered=now.entered,
            slots=[SlotOut(at=slot.at, most=slot.most, inside=slot.inside) for slot in now.slots],
            doors=[
                DoorOut(name=door.name, entered=door.entered, left=door.left) for door in now.doors
            ],
        )


class VenueCodeOut(BaseModel):
    """The code on the poster at the doors of a branch; null: it has none yet."""

    branch: str
    venue: str | None


class TicketOut(BaseModel):
    """A ticket of the queue. Its id is known to its owner only."""

    id: str
    number: int
    position: int = Field(description="Place among those who wait; 0: called, enter now.")
    wait_minutes: int | None


class VenueOut(OccupancyOut):
    """The branch at whose door a code was scanned."""

    name: str
    names: dict[str, str] = Field(description="Its name in other languages, by language.")
    position: int | None = Field(
        description="Place in the queue of the ticket in the query; 0: called, enter now; null: "
        "there is no such ticket, or it has lapsed."
    )
    ticket_minutes: int | None = Field(description="Estimated wait of this ticket.")


@router.get("/branches/{code}/occupancy")
@refuses(NoSuchBranch)
async def get_occupancy(code: Id, now: BusinessTime, run: Run) -> OccupancyOut:
    """Show how full a branch is, now and earlier today."""
    local = now.astimezone(run.settings.zone)
    return OccupancyOut.of(await fullness(run.database, code, now, local))


@router.post("/branches/{code}/counts")
@refuses(NoSuchBranch, BranchIsClosed, BranchFull, TooManyDoors)
async def post_count(
    code: Id, body: CountBody, caller: Desk, now: BusinessTime, run: Run
) -> OccupancyOut:
    """Count people at a door without registering them.

    All who enter are counted, or none of them if there is not enough room.
    """
    local = now.astimezone(run.settings.zone)
    command = CountVisitors(code, body.door, body.entered, body.left, local)
    counted = await run(count_visitors, command)
    return OccupancyOut.of(
        Fullness(counted.branch, counted.occupancy, counted.capacity, counted.open, now)
    )


@router.get("/branches/{code}/venue")
@refuses(NoSuchBranch)
async def get_venue_code(code: Id, caller: Staff, db: Db) -> VenueCodeOut:
    """Show the venue code of a branch, for the poster at its doors."""
    if await store.branches.find_one(db, code) is None:
        raise NoSuchBranch([code])
    venue = await store.occupancy.find_venue(db, code)
    return VenueCodeOut(branch=code, venue=venue.code if venue else None)


@router.post("/branches/{code}/venue")
@refuses(NoSuchBranch)
async def post_venue_code(code: Id, caller: Staff, run: Run) -> VenueCodeOut:
    """Give a branch a new venue code; posters with the old one no longer work."""
    venue = await run(renew_venue, RenewVenue(code, secrets.token_hex(8)))
    return VenueCodeOut(branch=code, venue=venue.code)


@router.get("/venues/{venue}")
@refuses(NoSuchVenue)
async def get_venue(
    venue: Id,
    now: BusinessTime,
    run: Run,
    ticket: Annotated[Id, Query(description="Id of a ticket of the queue.")] = "",
) -> VenueOut:
    """Show the branch at whose door this code was scanned, and the place of a ticket."""
    local = now.astimezone(run.settings.zone)
    found = await fullness_at_venue(run.database, venue, now, local)
    position = found.occupancy.position(ticket) if ticket else None
    minutes = rules.minutes_to_wait(found.occupancy, position, now) if position else None
    return VenueOut(
        **OccupancyOut.of(found).model_dump(),
        name=found.branch.name,
        names=dict(found.branch.names),
        position=position,
        ticket_minutes=0 if position == 0 else minutes,
    )


@router.post("/tickets", status_code=201)
@refuses(NoSuchVenue, BranchIsClosed, NotFull, QueueFull)
async def post_ticket(body: QueueBody, now: BusinessTime, run: Run) -> TicketOut:
    """Join the queue of a branch that is full. Nothing about the person is kept."""
    local = now.astimezone(run.settings.zone)
    queued = await run(join_queue, JoinQueue(body.venue, local))
    return TicketOut(
        id=queued.id,
        number=queued.number,
        position=queued.position,
        wait_minutes=queued.wait_minutes,
    )
