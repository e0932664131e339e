"""Register for activities, withdraw, attend, and give places to the waiting list."""

from dataclasses import dataclass
from datetime import date
from zoneinfo import ZoneInfo

from services.events.activities import refusals, rules, store
from services.events.activities.events import (
    record_attendance_withdrawn,
    record_attended,
    record_ended,
    record_place_given,
    record_registered,
)
from services.events.activities.rules import (
    Activity,
    Ending,
    Places,
    Registration,
    RegistrationState,
    check_age,
    check_not_over,
    check_open,
    is_open,
)
from services.events.patrons import store as patrons_store
from services.events.refusals import NoSuchPatron
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work

CHUNK = 50
"""Maximum number of registrations changed in one transaction; a job continues with the others."""


def give_places(work: Work, activity: Activity, places: Places) -> Places:
    """Give free places to the first on the waiting list, at most CHUNK; return the counts.

    Gives none once the activity has begun or is cancelled.
    """
    if not places.to_give or not is_open(activity, work.now):
        return places
    waiting = store.next_waiting(work, places.id, min(places.to_give, CHUNK))
    counted, given = rules.give(places, waiting, at=work.now)
    store.save_places(work, counted)
    store.save_registrations(work, given)
    for registration in given:
        record_place_given(work, registration)
    return counted


def end(work: Work, activity: Activity, registration: Registration, by: Ending) -> Registration:
    """End a registration, delete it, and give its place to the first on the waiting list."""
    places = store.places(work, activity.id)
    if places is None:
        raise LookupError(f"there is a registration for {activity.id}, which has no places")
    counted, ended = rules.end(places, registration)
    store.save_places(work, counted)
    store.delete_registrations(work, [registration])
    record_ended(work, ended, by)
    give_places(work, activity, counted)
    return ended


def end_some(work: Work, places: Places) -> Places:
    """End the next registrations of a cancelled activity, at most CHUNK; return the counts."""
    registered = store.first_registered(work, places.id, CHUNK)
    counted, ended = rules.end_all(places, registered, at=work.now)
    # Also if there are none, so that a concurrent registration conflicts.
    store.save_places(work, counted)
    store.delete_registrations(work, registered)
    for registration in ended:
        record_ended(work, registration, "activity")
    return counted


def continue_change(work: Work, activity_id: str) -> int:
    """Continue the change; return how many registrations ended or got a place (0: finished)."""
    activity = or_refuse(store.activity(work, activity_id), refusals.NoSuchActivity)
    places = store.places(work, activity.id)
    if places is None or places.unfinished_since is None:
        return 0
    if activity.cancelled_at is not None:
        counted = end_some(work, places)
        return (places.taken + places.waiting) - (counted.taken + counted.waiting)
    counted = give_places(work, activity, places)
    if counted is places:  # another transaction has done it, or the activity has begun
        store.save_places(work, rules.finish(places))
    return counted.taken - places.taken


@dataclass(frozen=True)
class Placed:
    """A registration and its position on the waiting list: 1 is next; None: it has a place."""

    registration: Registration
    position: int | None


def register_for_activity(
    work: Work,
    activity_id: str,
    patron_id: str,
    zone: ZoneInfo,
    born_on: date | None,
    *,
    by_staff: bool = False,
) -> Placed:
    """Register the patron, with a place or at the end of the waiting list.

    Raises NoSuchActivity, NoRegistrationNeeded, ActivityCancelled, ActivityBegun, OutsideAges,
    AlreadyRegistered or NoSuchPatron.

    `born_on`: The patron's date of birth; None: not known, or no matter for this activity.
    `by_staff`: Staff register the patron, so one who comes late can get a place that is left.
    """
    activity = or_refuse(store.activity(work, activity_id), refusals.NoSuchActivity)
    places = or_refuse(store.places(work, activity.id), refusals.NoRegistrationNeeded)
    if by_staff and places.left:
        check_not_over(activity, work.now, zone)
    else:
        check_open(activity, work.now)
    check_age(activity, born_on, zone)
    if store.registration_of(work, activity.id, patron_id):
        raise refusals.AlreadyRegistered
    counted, registration = rules.register(
        places, registration_id=new_id(), patron_id=patron_id, at=work.now
    )
    # Written first, because concurrent registrations conflict in this document.
    store.save_places(work, counted)
    if not patrons_store.hold_patron(work, patron_id):
        raise NoSuchPatron
    store.add_registration(work, registration)
    record_registered(work, registration)
    waits = registration.state is RegistrationState.WAITLISTED
    return Placed(registration, counted.waiting if waits else None)


def withdraw_registration(work: Work, activity_id: str, patron_id: str) -> Registration:
    """Withdraw the registration and return its last state.

    Raises NoSuchActivity, NotRegistered, ActivityCancelled or ActivityBegun.
    """
    activity = or_refuse(store.activity(work, activity_id), refusals.NoSuchActivity)
    registration = or_refuse(
        store.registration_of(work, activity.id, patron_id), refusals.NotRegistered
    )
    check_open(activity, work.now)
    return end(work, activity, registration, "patron")


def purge_registration(work: Work, registration_id: str) -> bool:
    """End and delete the registration; return False if it had ended. Raises NoSuchActivity."""
    registration = store.registration(work, registration_id)
    if registration is None:
        return False
    activity = or_refuse(store.activity(work, registration.activity_id), refusals.NoSuchActivity)
    end(work, activity, registration, "erased")
    return True


def record_attendance(work: Work, activity_id: str, patron_id: str, zone: ZoneInfo) -> Registration:
    """Record the attendance and return the registration, unchanged if it was recorded before.

    Raises NoSuchActivity, NoRegistrationNeeded, NotRegistered, ActivityCancelled, NotItsDay or
    OnWaitingList.
    """
    activity, registration = registered(work, activity_id, patron_id)
    attended = rules.attend(registration, activity, at=work.now, zone=zone)
    if attended is not registration:
        store.save_registrations(work, [attended])
        record_attended(work, attended)
    return attended


def registered(work: Work, activity_id: str, patron_id: str) -> tuple[Activity, Registration]:
    """Return an activity and a patron's registration for it.

    Raises NoSuchActivity, NoRegistrationNeeded or NotRegistered.
    """
    activity = or_refuse(store.activity(work, activity_id), refusals.NoSuchActivity)
    if store.places(work, activity_id) is None:
        raise refusals.NoRegistrationNeeded
    registration = or_refuse(
        store.registration_of(work, activity_id, patron_id), refusals.NotRegistered
    )
    return activity, registration


def withdraw_attendance(work: Work, activity_id: str, patron_id: str) -> Registration:
    """Withdraw the attendance and return the registration, unchanged if none was recorded.

    Raises NoSuchActivity, NoRegistrationNeeded, NotRegistered or OnWaitingList.
    """
    _, registration = registered(work, activity_id, patron_id)
    withdrawn = rules.withdraw_attendance(registration)
    if withdrawn is not registration:
        store.save_registrations(work, [withdrawn])
        record_attendance_withdrawn(work, withdrawn)
    return withdrawn
