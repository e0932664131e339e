"""Register a patron for an activity."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import check_age, check_open
from services.events.domain.refusals import (
    AlreadyRegistered,
    NoRegistrationNeeded,
    NoSuchActivity,
    NoSuchPatron,
)
from services.events.domain.registration import Registration, RegistrationState
from services.events.usecases.registration_events import record_registered
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RegisterForActivity:
    """A patron, the activity to register for, and the library's time zone."""

    activity_id: str
    patron_id: str
    zone: ZoneInfo
    born_on: date | None
    """The patron's date of birth; None: not known, or no matter for this activity."""


@dataclass(frozen=True)
class Placed:
    """A registration and its position on the waiting list: 1 is next; None: it has a place."""

    registration: Registration
    position: int | None


def register_for_activity(work: Work, command: RegisterForActivity) -> Placed:
    """Register the patron, with a place or at the end of the waiting list.

    Raises NoSuchActivity, NoRegistrationNeeded, ActivityCancelled, ActivityBegun, OutsideAges,
    AlreadyRegistered or NoSuchPatron.
    """
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    places = store.places(work, activity.id)
    if places is None:
        raise NoRegistrationNeeded
    check_open(activity, work.now)
    check_age(activity, command.born_on, command.zone)
    if store.registration_of(work, activity.id, command.patron_id):
        raise AlreadyRegistered
    counted, registration = rules.register(
        places, registration_id=new_id(), patron_id=command.patron_id, at=work.now
    )
    # Written first, because concurrent registrations conflict in this document.
    store.save_places(work, counted)
    if not store.hold_patron(work, command.patron_id):
        raise NoSuchPatron
    store.add_registration(work, registration)
    record_registered(work, registration)
    waits = registration.state is RegistrationState.WAITLISTED
    return Placed(registration, counted.waiting if waits else None)
