"""Refusals about seasons of the study rooms."""

from collections.abc import Iterable

from services.events.refusals import Refusal


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
