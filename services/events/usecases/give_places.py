"""Give the places that are free to those who wait for them, in turn."""

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity, is_open
from services.events.domain.registration import Places
from services.events.usecases.tell_of_registration import tell_given
from shared.unit_of_work import Work

CHUNK = 50
"""Registrations that one transaction changes; with more to do, the job goes on."""


async def give_places(work: Work, activity: Activity, places: Places) -> Places:
    """The counts once those who stand first, at most CHUNK, have got what is free."""
    if not places.to_give or not is_open(activity, work.now):
        return places
    waiting = await store.next_waiting(work, places.id, min(places.to_give, CHUNK))
    counted, given = rules.give(places, waiting, at=work.now)
    await store.save_places(work, counted)
    await store.save_registrations(work, given)
    for registration in given:
        tell_given(work, registration)
    return counted
