"""Give free places to the waiting list, in turn."""

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity, is_open
from services.events.domain.registration import Places
from services.events.usecases.registration_events import record_place_given
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
