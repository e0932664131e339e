"""Refusals about activities, registrations and recordings."""

from datetime import datetime

from services.events.refusals import Refusal


class NoSuchActivity(Refusal):
    """There is no such activity."""

    code = "no-such-activity"
    status = 404
    reason = "There is no such activity."


class NoRecording(Refusal):
    """The activity has no recording."""

    code = "no-recording"
    status = 404
    reason = "This activity has no recording."


class NotYetReleased(Refusal):
    """The recording may not be seen yet; `available_from` is the instant of its release."""

    code = "not-yet-released"
    status = 403
    reason = "This recording cannot be seen yet."

    def __init__(self, available_from: datetime) -> None:
        super().__init__(available_from=available_from.isoformat().replace("+00:00", "Z"))


class EndsBeforeItStarts(Refusal):
    """The activity's end is not after its start."""

    code = "ends-before-it-starts"
    status = 422
    reason = "An activity has to end after it starts."


class AgesReversed(Refusal):
    """The lowest age of those who may take part is above the highest."""

    code = "ages-reversed"
    status = 422
    reason = "The lowest age cannot be above the highest."


class OutsideAges(Refusal):
    """The patron is younger or older than those whom the activity is for."""

    code = "outside-ages"
    reason = "On the day of this activity you are younger or older than those whom it is for."


class NoRegistrationNeeded(Refusal):
    """Everybody may come to the activity without registering."""

    code = "no-registration-needed"
    reason = "Everybody may come to this activity. No registration is needed."


class AlreadyRegistered(Refusal):
    """The patron already has a place or is on the waiting list."""

    code = "already-registered"
    reason = "You have registered for this activity already."


class NotRegistered(Refusal):
    """The patron has no place and is not on the waiting list."""

    code = "not-registered"
    status = 404
    reason = "You are not registered for this activity."


class ActivityBegun(Refusal):
    """The activity has begun, so it is too late to register or to withdraw."""

    code = "activity-begun"
    reason = "This activity has begun."


class ActivityCancelled(Refusal):
    """The activity is cancelled."""

    code = "activity-cancelled"
    reason = "This activity is cancelled."


class NotItsDay(Refusal):
    """The activity's first day has not come, so nobody can have attended it."""

    code = "not-its-day"
    reason = "The day of this activity has not come yet."


class OnWaitingList(Refusal):
    """The patron is on the waiting list and has no place."""

    code = "on-waiting-list"
    reason = "This registration is on the waiting list and has no place."


class FewerPlaces(Refusal):
    """The number of places can be raised, not lowered."""

    code = "fewer-places"
    reason = "An activity can be given more places, not fewer."
