"""Attendance at activities: staff record which of the registered patrons came."""

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.events import queries
from services.events.domain.refusals import (
    ActivityCancelled,
    NoRegistrationNeeded,
    NoSuchActivity,
    NotItsDay,
    NotRegistered,
    OnWaitingList,
)
from services.events.routes.fields import ActivityId, PatronId
from services.events.routes.registrations import RegistrationOut
from services.events.usecases.record_attendance import RecordAttendance, record_attendance
from services.events.usecases.withdraw_attendance import WithdrawAttendance, withdraw_attendance
from shared.auth import Staff
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1", tags=["activities"])


class AttendanceBody(Body):
    """A patron who came to an activity."""

    patron_id: str = Field(min_length=1, max_length=64)


class AttendanceOut(BaseModel):
    """The numbers of patrons who have a place in an activity, and of those who attended."""

    registered: int = Field(description="Number of patrons who have a place.")
    attended: int = Field(description="Number of those whose attendance is recorded.")


@router.post("/activities/{activity_id}/attendance")
@refuses(
    NoSuchActivity,
    NoRegistrationNeeded,
    NotRegistered,
    ActivityCancelled,
    NotItsDay,
    OnWaitingList,
)
async def post_attendance(
    activity_id: ActivityId, body: AttendanceBody, request: Request, caller: Staff, run: Run
) -> RegistrationOut:
    """Record that a registered patron came, from the activity's day on.

    Recording it again changes nothing.
    """
    zone = request.app.state.settings.zone
    command = RecordAttendance(activity_id, body.patron_id, zone)
    return RegistrationOut.of(await run(record_attendance, command), None)


@router.delete("/activities/{activity_id}/attendance/{patron_id}")
@refuses(NoSuchActivity, NoRegistrationNeeded, NotRegistered, OnWaitingList)
async def delete_attendance(
    activity_id: ActivityId, patron_id: PatronId, caller: Staff, run: Run
) -> RegistrationOut:
    """Withdraw an attendance that was recorded in error.

    Withdrawing one that is not recorded changes nothing.
    """
    command = WithdrawAttendance(activity_id, patron_id)
    return RegistrationOut.of(await run(withdraw_attendance, command), None)


@router.get("/activities/{activity_id}/attendance")
@refuses(NoSuchActivity, NoRegistrationNeeded)
async def get_attendance(activity_id: ActivityId, _caller: Staff, db: Db) -> AttendanceOut:
    """Get the numbers of patrons who have a place, and of those whose attendance is recorded."""
    found = await queries.attendance(db, activity_id)
    return AttendanceOut(registered=found.registered, attended=found.attended)
