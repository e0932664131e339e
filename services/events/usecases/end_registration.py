"""Steps that follow whenever registrations end."""

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity
from services.events.domain.registration import Ending, Places, Registration
from services.events.usecases.give_places import CHUNK, give_places
from services.events.usecases.registration_events import record_ended
from shared.unit_of_work import Work


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
