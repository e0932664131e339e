"""Cancel an activity."""

from dataclasses import dataclass

from services.events import store
from services.events.domain.activity import Activity, cancel
from services.events.domain.refusals import NoSuchActivity
from services.events.domain.registration import Places
from services.events.usecases.activity_events import record_cancelled
from services.events.usecases.end_registration import end_some
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CancelActivity:
    """The activity to cancel and the reason."""

    activity_id: str
    reason: str


def cancel_activity(work: Work, command: CancelActivity) -> tuple[Activity, Places | None]:
    """Cancel the activity; return it with its places.

    Ends the first registrations at once; a job ends the others. Raises NoSuchActivity or
    ActivityCancelled.
    """
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    cancelled = cancel(activity, at=work.now, reason=command.reason)
    places = store.places(work, activity.id)
    store.save_activity(work, cancelled)
    record_cancelled(work, cancelled)
    return cancelled, None if places is None else end_some(work, places)
