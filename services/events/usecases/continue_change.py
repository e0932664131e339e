"""Continue a change of an activity that does not fit into one transaction."""

from dataclasses import dataclass

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.refusals import NoSuchActivity
from services.events.usecases.end_registration import end_some
from services.events.usecases.give_places import give_places
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ContinueChange:
    """Command to continue the unfinished change of an activity."""

    activity_id: str


def continue_change(work: Work, command: ContinueChange) -> int:
    """Continue the change; return how many registrations ended or got a place (0: finished)."""
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
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
