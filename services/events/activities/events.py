"""Events of activities and registrations, recorded by the commands that change one."""

from dataclasses import asdict, replace
from typing import Any

from services.events.activities.rules import Activity, Ending, Registration, RegistrationState
from shared.contracts.events import (
    ActivityCancelled,
    ActivityRescheduled,
    ActivitySnapshot,
    RegistrationAttendanceWithdrawn,
    RegistrationAttended,
    RegistrationCancelled,
    RegistrationConfirmed,
    RegistrationWaitlisted,
)
from shared.unit_of_work import Work


def record_activity_event(work: Work, kind: type[ActivitySnapshot], activity: Activity) -> None:
    """Record an event of `kind` with the activity's current state."""
    work.record(kind(**activity_fields(activity)))


def record_rescheduled(work: Work, activity: Activity, before: Activity) -> None:
    """Record that an activity's time, place or description changed since `before`."""
    moved = before.starts_at != activity.starts_at
    elsewhere = before.venue != activity.venue
    as_before = replace(activity, title=before.title, about=before.about, version=before.version)
    work.record(
        ActivityRescheduled(
            **activity_fields(activity),
            previous_starts_at=before.starts_at if moved else None,
            previous_venue=before.venue if elsewhere else None,
            described_anew=as_before == before,
        )
    )


def record_cancelled(work: Work, activity: Activity) -> None:
    """Record that an activity is cancelled, with the reason."""
    work.record(
        ActivityCancelled(**activity_fields(activity), reason=activity.cancelled_because or "")
    )


def activity_fields(activity: Activity) -> dict[str, Any]:
    """Return the fields that every event about an activity has."""
    return {
        "version": activity.version,
        "activity_id": activity.id,
        "title": activity.title,
        "type": activity.type,
        "venue": activity.venue,
        "branch": activity.branch,
        "starts_at": activity.starts_at,
        "ends_at": activity.ends_at,
        "speaker": activity.speaker,
        "organiser": activity.organiser,
        "language": activity.language,
        "enquiries": activity.enquiries,
        "recording_from": activity.recording_from,
        "cancelled": activity.cancelled_at is not None,
        **asdict(activity.about),
    }


def record_registered(work: Work, registration: Registration) -> None:
    """Record the event of a new registration."""
    if registration.state is RegistrationState.CONFIRMED:
        work.record(RegistrationConfirmed(**registration_fields(registration), waited=False))
    else:
        work.record(RegistrationWaitlisted(**registration_fields(registration)))


def record_place_given(work: Work, registration: Registration) -> None:
    """Record that a registration on the waiting list got a place."""
    work.record(RegistrationConfirmed(**registration_fields(registration), waited=True))


def record_attended(work: Work, registration: Registration) -> None:
    """Record that staff noted a patron's attendance."""
    work.record(RegistrationAttended(**registration_fields(registration)))


def record_attendance_withdrawn(work: Work, registration: Registration) -> None:
    """Record that staff withdrew an attendance."""
    work.record(RegistrationAttendanceWithdrawn(**registration_fields(registration)))


def record_ended(work: Work, registration: Registration, by: Ending) -> None:
    """Record the end of a registration."""
    work.record(RegistrationCancelled(**registration_fields(registration), by=by))


def registration_fields(registration: Registration) -> dict[str, Any]:
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
