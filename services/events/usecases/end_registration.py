"""What follows the end of registrations, whatever ended them."""

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import Activity
from services.events.domain.registration import Ending, Places, Registration
from services.events.usecases.give_places import CHUNK, give_places
from services.events.usecases.tell_of_registration import tell_ended
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
    await store.delete_registrations(work, [registration])
    tell_ended(work, ended, by)
    await give_places(work, activity, counted)
    return ended


async def end_some(work: Work, places: Places) -> Places:
    """The counts once the next registrations of a cancelled activity, at most CHUNK, have ended."""
    registered = await store.first_registered(work, places.id, CHUNK)
    counted, ended = rules.end_all(places, registered, at=work.now)
    # Also where there are none: whoever registers at this moment is to meet in it.
    await store.save_places(work, counted)
    await store.delete_registrations(work, registered)
    for registration in ended:
        tell_ended(work, registration, "activity")
    return counted
