"""Record that a registered patron came to an activity."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity
from services.events.domain.refusals import NoRegistrationNeeded, NoSuchActivity, NotRegistered
from services.events.domain.registration import Registration
from services.events.usecases.registration_events import record_attended
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RecordAttendance:
    """The activity, the patron who came, and the library's time zone."""

    activity_id: str
    patron_id: str
    zone: ZoneInfo


def record_attendance(work: Work, command: RecordAttendance) -> Registration:
    """Record the attendance and return the registration, unchanged if it was recorded before.

    Raises NoSuchActivity, NoRegistrationNeeded, NotRegistered, ActivityCancelled, NotItsDay or
    OnWaitingList.
    """
    activity, registration = registered(work, command.activity_id, command.patron_id)
    attended = rules.attend(registration, activity, at=work.now, zone=command.zone)
    if attended is not registration:
        store.save_registrations(work, [attended])
        record_attended(work, attended)
    return attended


def registered(work: Work, activity_id: str, patron_id: str) -> tuple[Activity, Registration]:
    """Return an activity and a patron's registration for it.

    Raises NoSuchActivity, NoRegistrationNeeded or NotRegistered.
    """
    activity = store.activity(work, activity_id)
    if activity is None:
        raise NoSuchActivity
    if store.places(work, activity_id) is None:
        raise NoRegistrationNeeded
    registration = store.registration_of(work, activity_id, patron_id)
    if registration is None:
        raise NotRegistered
    return activity, registration
