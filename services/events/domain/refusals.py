"""Refusals of events: one class each, with a code and a reason."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import ClassVar


class Refusal(Exception):
    """A request that the rules refuse: `code` is for programs, `reason` for the person."""

    code: ClassVar[str]
    status: ClassVar[int] = 409
    """HTTP status of the response."""
    reason: ClassVar[str]

    def __init__(self, **extra: str) -> None:
        super().__init__(self.reason)
        self.extra: Mapping[str, str] = extra
        """Additional members of the problem response."""


class NoSuchBranch(Refusal):
    """A library that events does not know, or not yet; `branches` names the codes."""

    code = "no-such-branch"
    status = 404
    reason = "There is no such library."

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(branches=", ".join(sorted(codes)))


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


class NoSuchPatron(Refusal):
    """The patron was erased, though their token is still valid."""

    code = "no-such-patron"
    status = 404
    reason = "There is no such patron."


class NoSuchSeason(Refusal):
    """There is no such season of the study rooms."""

    code = "no-such-season"
    status = 404
    reason = "There is no such season of the study rooms."


class NoSuchRoom(Refusal):
    """The library has no study room in this season."""

    code = "no-such-room"
    status = 422
    reason = "This library has no study room in this season."


class BadSeason(Refusal):
    """The days, sessions or quotas of a season contradict each other."""

    code = "bad-season"
    status = 422
    reason = (
        "The days of a season follow each other: applications, then the draw on a later day, then "
        "the cards. Sessions do not overlap. A library is named once, and its quotas do not exceed "
        "its places."
    )


class SeasonsOverlap(Refusal):
    """A room has another season on some of these days; `branches` names the libraries."""

    code = "seasons-overlap"
    reason = "The study room has another season on some of these days."

    def __init__(self, codes: Iterable[str]) -> None:
        super().__init__(branches=", ".join(sorted(codes)))


class ApplicationsNotOpen(Refusal):
    """The application was made, or received, before the first day."""

    code = "applications-not-open"
    reason = "Applications for this season are not open yet."


class ApplicationsClosed(Refusal):
    """The application came after the last day, or the list is closed."""

    code = "applications-closed"
    reason = "Applications for this season are closed."


class ApplicationsStillOpen(Refusal):
    """The list is closed only after the last day of receipt, and before the draw."""

    code = "applications-still-open"
    reason = "Applications for this season are still open."


class ReceivedInFuture(Refusal):
    """The day of receipt is after today."""

    code = "received-in-future"
    reason = "The day of receipt is in the future."


class AppliedAlready(Refusal):
    """The patron has an application for this season."""

    code = "applied-already"
    reason = "There is an application of this patron for this season already."


class PaperNumberTaken(Refusal):
    """An application with this paper number was keyed in before."""

    code = "paper-number-taken"
    reason = "An application with this number is recorded already."


class NotApplied(Refusal):
    """The patron has no application for this season."""

    code = "not-applied"
    status = 404
    reason = "You have not applied for this season."


class NotClosed(Refusal):
    """The list of applications is not closed, so it is not published."""

    code = "list-not-closed"
    status = 404
    reason = "The list of applications is published when it is closed."


class TooEarlyToDraw(Refusal):
    """The announced day of the draw has not come."""

    code = "too-early-to-draw"
    reason = "The announced day of the draw has not come yet."


class DrawnAlready(Refusal):
    """The places of the season are drawn."""

    code = "drawn-already"
    reason = "The places of this season are drawn already."


class SeasonOver(Refusal):
    """The season is over."""

    code = "season-over"
    reason = "This season is over."


class NoSuchCard(Refusal):
    """No patron has this library card."""

    code = "no-such-card"
    status = 404
    reason = "No library card has this number."


class NoSuchAdmission(Refusal):
    """No admission card of the season has this code."""

    code = "no-such-admission"
    status = 404
    reason = "No admission card of this season has this code."


class NoSessionNow(Refusal):
    """There is no session that patrons may enter now."""

    code = "no-session-now"
    reason = "There is no session now."


class NoPlaceInSession(Refusal):
    """The patron is on the standby list and holds no place in this session, and none is free."""

    code = "no-place-in-session"
    reason = "There is no place for this card in this session yet."


class CheckedInAlready(Refusal):
    """The card was used for this session already."""

    code = "checked-in-already"
    reason = "This card was used for this session already."


class PlaceLapsed(Refusal):
    """The patron came too late; the place went to the standby list."""

    code = "place-lapsed"
    reason = "The place was held until a set time, and went to the next on the standby list."
