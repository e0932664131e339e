"""What follows the end of a registration, whatever ended it."""

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity, has_begun
from services.events.domain.registration import Ending, Places, Registration
from services.events.usecases.tell_of_registration import tell_ended, tell_given
from shared.unit_of_work import Work


async def end(
    work: Work, activity: Activity, registration: Registration, by: Ending
) -> Registration:
    """The registration as it ends. It is deleted; its place goes to the first who waits."""
    places = await store.places(work, activity.id)
    if places is None:
        raise LookupError(f"there is a registration for {activity.id}, which has no places")
    counted, ended = rules.end(places, registration)
    await store.save_places(work, counted)
    await store.delete_registration(work, registration)
    tell_ended(work, ended, by)
    if not has_begun(activity, work.now):
        await _give(work, counted)
    return ended


async def _give(work: Work, places: Places) -> None:
    if not places.to_give:
        return
    waiting = await store.next_waiting(work, places.id, places.to_give)
    counted, given = rules.give(places, waiting)
    await store.save_places(work, counted)
    await store.save_registrations(work, given)
    for registration in given:
        tell_given(work, registration)
