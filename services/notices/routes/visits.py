"""Routes of visitors who register: by themselves at the door, as patrons, or with the staff."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field, StringConstraints

from services.notices import sealing
from services.notices.domain.refusals import NoSuchBranch, NoSuchPatron
from services.notices.domain.visit import Visitor
from services.notices.domain.visit_refusals import (
    BranchFull,
    BranchIsClosed,
    NoSuchVenue,
    NoSuchVisit,
    TooManyDoors,
    VisitsNotKept,
)
from services.notices.routes.fields import Id
from services.notices.routes.occupancy import DoorName, VenueCode
from services.notices.settings import settings_of
from services.notices.usecases.enter_branch import EnterBranch, Entered, enter_branch
from services.notices.usecases.leave_branch import LeaveBranch, leave_branch
from shared.auth import Desk, Patron
from shared.http.bodies import ONE_LINE, Body
from shared.http.dependencies import BusinessTime, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["visits"])

VisitorName = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), ONE_LINE
]
Phone = Annotated[
    str,
    StringConstraints(strip_whitespace=True, pattern=r"^\+?[0-9][0-9 ()-]{4,24}$"),
    Field(description="Telephone number at which health authorities can reach the visitor."),
]


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

    @classmethod
    def of(cls, visit: Entered) -> "VisitOut":
        """Build the answer from a visit."""
        return cls(id=visit.id, branch=visit.branch, entered_at=visit.entered_at)


@router.post("/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchVenue, BranchIsClosed, BranchFull, TooManyDoors)
async def post_visit(body: CheckInBody, now: BusinessTime, run: Run) -> VisitOut:
    """Check in with the code at the door, without an account."""
    return VisitOut.of(await run(enter_branch, _check_in(body, now, run)))


@router.post("/me/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchVenue, NoSuchPatron, BranchIsClosed, BranchFull, TooManyDoors)
async def post_own_visit(
    body: CheckInBody, caller: Patron, now: BusinessTime, run: Run
) -> VisitOut:
    """Check in as a patron; the visit is deleted early if the patron is erased."""
    return VisitOut.of(await run(enter_branch, _check_in(body, now, run, caller.id)))


@router.post("/branches/{code}/visits", status_code=201)
@refuses(VisitsNotKept, NoSuchBranch, BranchIsClosed, BranchFull, TooManyDoors)
async def post_desk_visit(
    code: Id, body: DeskVisitBody, caller: Desk, now: BusinessTime, run: Run
) -> VisitOut:
    """Register a visitor at a door, for people without a phone of their own."""
    command = EnterBranch(
        Visitor(body.name, body.phone),
        now.astimezone(run.settings.zone),
        sealing.master_of(settings_of(run).visit_keys),
        branch=code,
        door=body.door,
    )
    return VisitOut.of(await run(enter_branch, command))


@router.post("/visits/leavings")
@refuses(NoSuchVisit)
async def post_leaving(body: LeavingBody, now: BusinessTime, run: Run) -> VisitOut:
    """Check out, with the id that the visitor got when checking in. Repeats change nothing."""
    command = LeaveBranch(body.visit, now.astimezone(run.settings.zone))
    return VisitOut.of(await run(leave_branch, command))


def _check_in(
    body: CheckInBody, now: dt.datetime, run: Run, patron_id: str | None = None
) -> EnterBranch:
    return EnterBranch(
        Visitor(body.name, body.phone),
        now.astimezone(run.settings.zone),
        sealing.master_of(settings_of(run).visit_keys),
        venue=body.venue,
        ticket_id=body.ticket,
        patron_id=patron_id,
    )
