"""Refusals of events. One class each, with a code and a reason."""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    reason: ClassVar[str]

    def __init__(self, **extra: str) -> None:
        super().__init__(self.reason)
        self.extra: Mapping[str, str] = extra
        """More members of the problem."""


class NoSuchActivity(Refusal):
    """There is no such activity."""

    code = "no-such-activity"
    reason = "There is no such activity."


class NoRecording(Refusal):
    """The activity has no recording."""

    code = "no-recording"
    reason = "This activity has no recording."


class NotYetReleased(Refusal):
    """The recording may not be seen yet; `available_from` says from when."""

    code = "not-yet-released"
    reason = "This recording cannot be seen yet."

    def __init__(self, available_from: datetime) -> None:
        super().__init__(available_from=available_from.isoformat().replace("+00:00", "Z"))


class EndsBeforeItStarts(Refusal):
    """An activity whose end is not after its start."""

    code = "ends-before-it-starts"
    reason = "An activity has to end after it starts."


class NoRegistrationNeeded(Refusal):
    """An activity that everybody may come to."""

    code = "no-registration-needed"
    reason = "Everybody may come to this activity. No registration is needed."


class AlreadyRegistered(Refusal):
    """The patron has a place, or waits for one."""

    code = "already-registered"
    reason = "You have registered for this activity already."


class NotRegistered(Refusal):
    """The patron neither has a place nor waits for one."""

    code = "not-registered"
    reason = "You are not registered for this activity."


class ActivityBegun(Refusal):
    """It is too late to register or to withdraw."""

    code = "activity-begun"
    reason = "This activity has begun."


class ActivityCancelled(Refusal):
    """It does not take place."""

    code = "activity-cancelled"
    reason = "This activity is cancelled."


class FewerPlaces(Refusal):
    """Places that are given are not taken away."""

    code = "fewer-places"
    reason = "An activity can be given more places, not fewer."


class NoSuchPatron(Refusal):
    """A patron who was erased, with a token that is still good."""

    code = "no-such-patron"
    reason = "There is no such patron."
