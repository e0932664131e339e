"""The events of a registration, recorded by the use cases that change one."""

from typing import Any

from services.events.domain.registration import Ending, Registration, RegistrationState
from shared.contracts.events import (
    RegistrationAttendanceWithdrawn,
    RegistrationAttended,
    RegistrationCancelled,
    RegistrationConfirmed,
    RegistrationWaitlisted,
)
from shared.unit_of_work import Work


def record_registered(work: Work, registration: Registration) -> None:
    """Record the event of a new registration."""
    if registration.state is RegistrationState.CONFIRMED:
        work.record(RegistrationConfirmed(**snapshot(registration), waited=False))
    else:
        work.record(RegistrationWaitlisted(**snapshot(registration)))


def record_place_given(work: Work, registration: Registration) -> None:
    """Record that a registration on the waiting list got a place."""
    work.record(RegistrationConfirmed(**snapshot(registration), waited=True))


def record_attended(work: Work, registration: Registration) -> None:
    """Record that staff noted a patron's attendance."""
    work.record(RegistrationAttended(**snapshot(registration)))


def record_attendance_withdrawn(work: Work, registration: Registration) -> None:
    """Record that staff withdrew an attendance."""
    work.record(RegistrationAttendanceWithdrawn(**snapshot(registration)))


def record_ended(work: Work, registration: Registration, by: Ending) -> None:
    """Record the end of a registration."""
    work.record(RegistrationCancelled(**snapshot(registration), by=by))


def snapshot(registration: Registration) -> dict[str, Any]:
    """Return the fields that every event about a registration has."""
    return {
        "version": registration.version,
        "registration_id": registration.id,
        "activity_id": registration.activity_id,
        "patron_id": registration.patron_id,
        "state": registration.state.value,
        "turn": registration.turn,
        "registered_at": registration.registered_at,
        "attended_at": registration.attended_at,
    }
