"""Withdraw an attendance that was recorded in error."""

from dataclasses import dataclass

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.registration import Registration
from services.events.usecases.record_attendance import registered
from services.events.usecases.registration_events import record_attendance_withdrawn
from shared.unit_of_work import Work


@dataclass(frozen=True)
class WithdrawAttendance:
    """The activity, and the patron whose attendance was recorded."""

    activity_id: str
    patron_id: str


def withdraw_attendance(work: Work, command: WithdrawAttendance) -> Registration:
    """Withdraw the attendance and return the registration, unchanged if none was recorded.

    Raises NoSuchActivity, NoRegistrationNeeded, NotRegistered or OnWaitingList.
    """
    _, registration = registered(work, command.activity_id, command.patron_id)
    withdrawn = rules.withdraw_attendance(registration)
    if withdrawn is not registration:
        store.save_registrations(work, [withdrawn])
        record_attendance_withdrawn(work, withdrawn)
    return withdrawn
