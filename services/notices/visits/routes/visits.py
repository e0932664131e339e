"""Routes of occupancy, queues and visits."""

import datetime as dt
import secrets
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from services.notices import sealing
from services.notices.branches import queries as branches_queries
from services.notices.branches.refusals import NoSuchBranch
from services.notices.fields import Id
from services.notices.patrons.refusals import NoSuchPatron
from services.notices.settings import settings_of
from services.notices.visits import commands, rules, store
from services.notices.visits.queries import (
    Fullness,
    fullness,
    fullness_at_venue,
    fullness_of_all,
)
from services.notices.visits.refusals import (
    BranchFull,
    BranchIsClosed,
    NoSuchVenue,
    NoSuchVisit,
    NotFull,
    QueueFull,
    TooManyDoors,
    VisitsNotKept,
)
from services.notices.visits.rules import Level, Visitor
from shared.auth import Desk, Patron, Staff
from shared.http.bodies import ONE_LINE, Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["visits"])

VenueCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,40}$")]
DoorName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=40), ONE_LINE
]
People = Annotated[int, Field(ge=0, le=100)]
VisitorName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), ONE_LINE
]
Phone = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()-]{4,24}$"),
    Field(description="Telephone number at which health authorities can reach the visitor."),
]


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


class LevelOut(BaseModel):
    """The level of a branch: whether there is room inside."""

    branch: str
    level: Level


class Levels(BaseModel):
    """The levels of the branches that are open and count people."""

    items: list[LevelOut]


class OccupancyOut(BaseModel):
    """The number of people inside a branch now, without anything about a person."""

    branch: str
    open: bool
    inside: int
    capacity: int | None = Field(description="Maximum number of people inside; null: no limit.")
    level: Level = Field(description="`busy` from 80 % of the capacity on; `full`: join the queue.")
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
        return from_attributes(
            cls,
            found,
            branch=found.branch.id,
            inside=now.inside,
            level=rules.level(now, found.capacity),
            waiting=now.waiting,
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


@router.get("/occupancies")
async def get_occupancies(now: BusinessTime, run: Run) -> Levels:
    """Show how full each branch is that is open and counts people."""
    local = now.astimezone(run.settings.zone)
    found = await fullness_of_all(run.database, now, local)
    return Levels(
        items=[
            LevelOut(branch=one.branch.id, level=rules.level(one.occupancy, one.capacity))
            for one in found
            if one.open
        ]
    )


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
    counted = await run(
        commands.count_visitors,
        branch=code,
        door=body.door,
        entered=body.entered,
        left=body.left,
        local=local,
    )
    return OccupancyOut.of(
        Fullness(counted.branch, counted.occupancy, counted.capacity, counted.open, now)
    )


@router.get("/branches/{code}/venue")
@refuses(NoSuchBranch)
async def get_venue_code(code: Id, caller: Staff, db: Db) -> VenueCodeOut:
    """Show the venue code of a branch, for the poster at its doors."""
    await branches_queries.get(db, code)
    venue = await store.find_venue(db, code)
    return VenueCodeOut(branch=code, venue=venue.code if venue else None)


@router.post("/branches/{code}/venue")
@refuses(NoSuchBranch)
async def post_venue_code(code: Id, caller: Staff, run: Run) -> VenueCodeOut:
    """Give a branch a new venue code; posters with the old one no longer work."""
    venue = await run(commands.renew_venue, code, secrets.token_hex(8))
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
    queued = await run(commands.join_queue, body.venue, local)
    return from_attributes(TicketOut, queued)


class VisitorBody(Body):
    """A visitor's details. They are kept sealed for 31 days, for contact tracing only."""

    name: VisitorName
    phone: Phone


class CheckInBody(VisitorBody):
    """A visitor who scanned the code at the door."""

    venue: VenueCode
    ticket: Id | None = Field(
        default=None, description="Ticket of the queue, once it is called; null: none."
    )


class DeskVisitBody(VisitorBody):
    """A visitor whom staff or a station register at a door."""

    door: DoorName


class LeavingBody(Body):
    """The visit that ends."""

    visit: Id = Field(description="Id of the visit, which only its visitor has.")


class VisitOut(BaseModel):
    """A visit, without anything about its visitor. Its id is known to the visitor only."""

    id: str
    branch: str
    entered_at: dt.datetime


@router.post("/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchVenue, BranchIsClosed, BranchFull, TooManyDoors)
async def post_visit(body: CheckInBody, now: BusinessTime, run: Run) -> VisitOut:
    """Check in with the code at the door, without an account."""
    return from_attributes(VisitOut, await run(commands.enter_branch, _check_in(body, now, run)))


@router.post("/me/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchVenue, NoSuchPatron, BranchIsClosed, BranchFull, TooManyDoors)
async def post_own_visit(
    body: CheckInBody, caller: Patron, now: BusinessTime, run: Run
) -> VisitOut:
    """Check in as a patron; the visit is deleted early if the patron is erased."""
    return from_attributes(
        VisitOut, await run(commands.enter_branch, _check_in(body, now, run, caller.id))
    )


@router.post("/branches/{code}/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchBranch, BranchIsClosed, BranchFull, TooManyDoors)
async def post_desk_visit(
    code: Id, body: DeskVisitBody, caller: Desk, now: BusinessTime, run: Run
) -> VisitOut:
    """Register a visitor at a door, for people without a phone of their own."""
    command = commands.EnterBranch(
        Visitor(body.name, body.phone),
        now.astimezone(run.settings.zone),
        sealing.master_of(settings_of(run).visit_keys),
        branch=code,
        door=body.door,
    )
    return from_attributes(VisitOut, await run(commands.enter_branch, command))


@router.post("/visits/leavings")
@refuses(NoSuchVisit)
async def post_leaving(body: LeavingBody, now: BusinessTime, run: Run) -> VisitOut:
    """Check out, with the id that the visitor got when checking in. Repeats change nothing."""
    return from_attributes(
        VisitOut, await run(commands.leave_branch, body.visit, now.astimezone(run.settings.zone))
    )


def _check_in(
    body: CheckInBody, now: dt.datetime, run: Run, patron_id: str | None = None
) -> commands.EnterBranch:
    return commands.EnterBranch(
        Visitor(body.name, body.phone),
        now.astimezone(run.settings.zone),
        sealing.master_of(settings_of(run).visit_keys),
        venue=body.venue,
        ticket_id=body.ticket,
        patron_id=patron_id,
    )
