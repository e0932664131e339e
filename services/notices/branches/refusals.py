"""Refusals about branches, their hours and their calendars."""

from services.notices.refusals import refusal

NoSuchBranch = refusal(404, "no-such-branch", "No library has the code {branches}.", "branches")
BranchExists = refusal(
    409, "branch-exists", "A library with the code {branch} is registered already."
)
BadHours = refusal(422, "bad-hours", "{what}")
"""Opening hours end before they begin, or overlap."""
NoSuchService = refusal(
    404, "no-such-service", "This service of the library has no hours of its own."
)
BadPeriod = refusal(
    422, "bad-period", "A period has to end after it starts, and two of them share no day."
)
NoSuchPeriod = refusal(404, "no-such-period", "No period of this service starts on that day.")
TooManyPeriods = refusal(
    409, "too-many-periods", "This service has too many periods. Remove past ones first."
)
NoBranchCovered = refusal(409, "no-branch-covered", "No library matches your selection.")
ClosedAlready = refusal(
    409, "closed-already", "This closure is recorded already for {branches}.", "branches"
)
ClosureWithdrawn = refusal(
    409,
    "closure-withdrawn",
    "This closure was withdrawn for {branches}. Record a new one.",
    "branches",
)
ClosureOver = refusal(
    409,
    "closure-over",
    "This closure has ended for {branches}. Only as recorded in error can it still be withdrawn.",
    "branches",
)
ReopenedAlready = refusal(
    409,
    "reopened-already",
    "These have reopened already: {branches}. Record a new closure.",
    "branches",
)
"""The reopening to cancel has happened already."""
NeverClosed = refusal(
    409, "reopened-before-closed", "The reopening day must be after the first closed day."
)
NotInClosure = refusal(409, "not-in-closure", "This closure does not cover {branches}.", "branches")
