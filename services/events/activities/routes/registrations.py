"""Registrations for activities, and attendance."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from services.events.activities import queries, refusals
from services.events.activities.commands.registrations import Placed as NewlyPlaced
from services.events.activities.commands.registrations import (
    record_attendance,
    register_for_activity,
    withdraw_attendance,
    withdraw_registration,
)
from services.events.activities.queries import Placed
from services.events.activities.rules import Registration, RegistrationState, is_for_ages
from services.events.fields import ActivityId, PatronId
from services.events.patrons.queries import ask_for_patron
from services.events.refusals import NoSuchPatron
from shared.audit_trail import shows_patrons
from shared.auth import Patron, Staff, StaffOrService
from shared.clock import library_day
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import BusinessTime, Db, Run
from shared.http.paging import PageQuery, page_of
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["activities"])


class RegistrationOut(BaseModel):
    """A patron's registration for an activity."""

    id: str
    activity_id: str
    patron_id: str
    state: RegistrationState
    position: int | None = Field(
        description="Position on the waiting list, 1 is next; null: not on the waiting list."
    )
    turn: int = Field(
        description="Ordinal among all registrations ever made for the activity, counted from 1."
    )
    registered_at: datetime
    attended_at: datetime | None = Field(
        description="Time at which staff recorded that the patron came; null: not recorded."
    )
    version: int

    @classmethod
    def of(cls, registration: Registration, position: int | None) -> "RegistrationOut":
        """Build the response from a registration."""
        return from_attributes(cls, registration, position=position)


class OwnRegistrationOut(RegistrationOut):
    """A registration with data of its activity."""

    title: str
    type: str
    venue: str
    starts_at: datetime
    ends_at: datetime | None

    @classmethod
    def placed(cls, placed: Placed) -> "OwnRegistrationOut":
        """Build the response from a registration and its activity."""
        registration = RegistrationOut.of(placed.registration, placed.position)
        return cls(
            **registration.model_dump(),
            title=placed.activity.title,
            type=placed.activity.type,
            venue=placed.activity.venue,
            starts_at=placed.activity.starts_at,
            ends_at=placed.activity.ends_at,
        )


class OwnRegistrations(BaseModel):
    """A patron's registrations for activities that are not over, ordered by their start."""

    items: list[OwnRegistrationOut]


class RegistrationPage(BaseModel):
    """A page of registrations, in the order of registering."""

    items: list[RegistrationOut]
    next: str | None = Field(
        description="Value to send as `after` for the next page; null: this is the last page."
    )


def _turn(cursor: str | None) -> int:
    if cursor is None:
        return 0
    if not (cursor.isascii() and cursor.isdigit() and len(cursor) < 10):
        raise HTTPException(422, "after: not a `next` of this list")
    return int(cursor)


_PLACES: dict[int | str, dict[str, Any]] = {
    201: {"description": "The patron has a place."},
    202: {
        "model": RegistrationOut,
        "description": "All places are taken: the patron is on the waiting list.",
    },
}
_REFUSALS = (
    refusals.NoSuchActivity,
    NoSuchPatron,
    refusals.NoRegistrationNeeded,
    refusals.AlreadyRegistered,
    refusals.ActivityBegun,
    refusals.ActivityCancelled,
    refusals.OutsideAges,
)


@router.post("/activities/{activity_id}/registration", status_code=201, responses=_PLACES)
@refuses(*_REFUSALS)
async def post_registration(
    activity_id: ActivityId, caller: Patron, run: Run, response: Response
) -> RegistrationOut:
    """Register for an activity, first come, first served: with a place, or on the waiting list.

    `outside-ages`: on its first day the patron is younger or older than the activity allows. A
    patron whose date of birth the library does not know is not refused.
    """
    born_on = None
    if is_for_ages((await queries.activity(run.database, activity_id)).activity):
        born_on = _born_on(await ask_for_patron(run, caller.id))
    zone = run.settings.zone
    placed = await run(register_for_activity, activity_id, caller.id, zone, born_on)
    return _placed(placed, response)


def _born_on(patron: Mapping[str, Any]) -> date | None:
    return date.fromisoformat(patron["born_on"]) if patron.get("born_on") else None


def _placed(placed: NewlyPlaced, response: Response) -> RegistrationOut:
    if placed.position is not None:
        response.status_code = 202
    return RegistrationOut.of(placed.registration, placed.position)


@router.delete("/activities/{activity_id}/registration")
@refuses(
    refusals.NoSuchActivity,
    refusals.NotRegistered,
    refusals.ActivityBegun,
    refusals.ActivityCancelled,
)
async def delete_registration(activity_id: ActivityId, caller: Patron, run: Run) -> RegistrationOut:
    """Withdraw from an activity. The place goes to the first on the waiting list."""
    ended = await run(withdraw_registration, activity_id, caller.id)
    return RegistrationOut.of(ended, None)


@router.get("/activities/{activity_id}/registration")
@refuses(refusals.NoSuchActivity, refusals.NotRegistered)
async def get_registration(activity_id: ActivityId, caller: Patron, db: Db) -> OwnRegistrationOut:
    """Get the patron's own registration."""
    return OwnRegistrationOut.placed(await queries.registration(db, activity_id, caller.id))


@router.get("/activities/{activity_id}/registrations")
@refuses(refusals.NoSuchActivity)
@shows_patrons
async def get_registrations(
    activity_id: ActivityId, caller: StaffOrService, db: Db, page: PageQuery
) -> RegistrationPage:
    """List an activity's registrations in the order of registering."""
    found = await queries.registrations(db, activity_id, _turn(page.after), page.limit + 1)
    items = [RegistrationOut.of(registration, position) for registration, position in found]
    return RegistrationPage(**page_of(items, page, lambda item: str(item.turn)))


@router.get("/me/registrations")
async def get_my_registrations(
    request: Request, caller: Patron, db: Db, now: BusinessTime
) -> OwnRegistrations:
    """List the patron's registrations for activities that are not over, ordered by their start."""
    return await _registrations_to_come(request, db, caller.id, now)


async def _registrations_to_come(
    request: Request, db: Database, patron_id: str, now: datetime
) -> OwnRegistrations:
    zone = request.app.state.settings.zone
    found = await queries.registrations_to_come(db, patron_id, library_day(now, zone), zone)
    return OwnRegistrations(items=[OwnRegistrationOut.placed(placed) for placed in found])


@router.get("/patrons/{patron_id}/registrations")
@shows_patrons
async def get_registrations_of(
    patron_id: PatronId, request: Request, _caller: Staff, db: Db, now: BusinessTime
) -> OwnRegistrations:
    """List a patron's registrations for activities that are not over, for staff."""
    return await _registrations_to_come(request, db, patron_id, now)


class ActivityToRegister(Body):
    """The activity that staff register a patron for."""

    activity_id: str = Field(min_length=1, max_length=64)


@router.post("/patrons/{patron_id}/registrations", status_code=201, responses=_PLACES)
@refuses(*_REFUSALS)
async def post_registration_of(
    patron_id: PatronId, body: ActivityToRegister, caller: Staff, run: Run, response: Response
) -> RegistrationOut:
    """Register a patron for an activity as staff, as the patron could.

    If a place is left, also after the activity has begun, until its last day is over.
    """
    born_on = _born_on(await ask_for_patron(run, patron_id))
    zone = run.settings.zone
    placed = await run(
        register_for_activity, body.activity_id, patron_id, zone, born_on, by_staff=True
    )
    return _placed(placed, response)


@router.delete("/patrons/{patron_id}/registrations/{activity_id}")
@refuses(
    refusals.NoSuchActivity,
    refusals.NotRegistered,
    refusals.ActivityBegun,
    refusals.ActivityCancelled,
)
async def delete_registration_of(
    patron_id: PatronId, activity_id: ActivityId, caller: Staff, run: Run
) -> RegistrationOut:
    """Withdraw a patron from an activity as staff, as the patron could."""
    return RegistrationOut.of(await run(withdraw_registration, activity_id, patron_id), None)


class AttendanceBody(Body):
    """A patron who came to an activity."""

    patron_id: str = Field(min_length=1, max_length=64)


class AttendanceOut(BaseModel):
    """The numbers of patrons who have a place in an activity, and of those who attended."""

    registered: int = Field(description="Number of patrons who have a place.")
    attended: int = Field(description="Number of those whose attendance is recorded.")


@router.post("/activities/{activity_id}/attendance")
@refuses(
    refusals.NoSuchActivity,
    refusals.NoRegistrationNeeded,
    refusals.NotRegistered,
    refusals.ActivityCancelled,
    refusals.NotItsDay,
    refusals.OnWaitingList,
)
async def post_attendance(
    activity_id: ActivityId, body: AttendanceBody, request: Request, caller: Staff, run: Run
) -> RegistrationOut:
    """Record that a registered patron came, from the activity's day on.

    Recording it again changes nothing.
    """
    zone = request.app.state.settings.zone
    return RegistrationOut.of(await run(record_attendance, activity_id, body.patron_id, zone), None)


@router.delete("/activities/{activity_id}/attendance/{patron_id}")
@refuses(
    refusals.NoSuchActivity,
    refusals.NoRegistrationNeeded,
    refusals.NotRegistered,
    refusals.OnWaitingList,
)
async def delete_attendance(
    activity_id: ActivityId, patron_id: PatronId, caller: Staff, run: Run
) -> RegistrationOut:
    """Withdraw an attendance that was recorded in error.

    Withdrawing one that is not recorded changes nothing.
    """
    return RegistrationOut.of(await run(withdraw_attendance, activity_id, patron_id), None)


@router.get("/activities/{activity_id}/attendance")
@refuses(refusals.NoSuchActivity, refusals.NoRegistrationNeeded)
async def get_attendance(activity_id: ActivityId, _caller: Staff, db: Db) -> AttendanceOut:
    """Get the numbers of patrons who have a place, and of those whose attendance is recorded."""
    found = await queries.attendance(db, activity_id)
    return AttendanceOut(registered=found.registered, attended=found.attended)
