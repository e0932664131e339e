"""Refusals about seasons of the study rooms."""

from services.events.refusals import refusal

NoSuchSeason = refusal(404, "no-such-season", "There is no such season of the study rooms.")
NoSuchRoom = refusal(422, "no-such-room", "This library has no study room in this season.")
BadSeason = refusal(
    422,
    "bad-season",
    "The days of a season follow each other: applications, then the draw on a later day, then"
    " the cards. Sessions do not overlap. A library is named once, and its quotas do not "
    "exceed its places.",
)

SeasonsOverlap = refusal(
    409,
    "seasons-overlap",
    "The study room has another season on some of these days.",
    "branches",
)
"""`branches` names the libraries."""
ApplicationsNotOpen = refusal(
    409, "applications-not-open", "Applications for this season are not open yet."
)
"""The application was made, or received, before the first day."""
ApplicationsClosed = refusal(409, "applications-closed", "Applications for this season are closed.")
"""The application came after the last day, or the list is closed."""
ApplicationsStillOpen = refusal(
    409, "applications-still-open", "Applications for this season are still open."
)
"""The list is closed only after the last day of receipt, and before the draw."""
ReceivedInFuture = refusal(409, "received-in-future", "The day of receipt is in the future.")
AppliedAlready = refusal(
    409, "applied-already", "There is an application of this patron for this season already."
)
PaperNumberTaken = refusal(
    409, "paper-number-taken", "An application with this number is recorded already."
)
"""An application with this paper number was keyed in before."""
NotApplied = refusal(404, "not-applied", "You have not applied for this season.")
"""The patron has no application for this season."""
NotClosed = refusal(
    404, "list-not-closed", "The list of applications is published when it is closed."
)
TooEarlyToDraw = refusal(
    409, "too-early-to-draw", "The announced day of the draw has not come yet."
)
DrawnAlready = refusal(409, "drawn-already", "The places of this season are drawn already.")
SeasonOver = refusal(409, "season-over", "This season is over.")
NoSuchCard = refusal(404, "no-such-card", "No library card has this number.")
NoSuchAdmission = refusal(
    404, "no-such-admission", "No admission card of this season has this code."
)
NoSessionNow = refusal(409, "no-session-now", "There is no session now.")
"""There is no session that patrons may enter now."""
NoPlaceInSession = refusal(
    409, "no-place-in-session", "There is no place for this card in this session yet."
)
"""The patron is on the standby list and holds no place in this session, and none is free."""
CheckedInAlready = refusal(
    409, "checked-in-already", "This card was used for this session already."
)
PlaceLapsed = refusal(
    409,
    "place-lapsed",
    "The place was held until a set time, and went to the next on the standby list.",
)
