"""Refusals about visits, queues and contact tracing."""

from services.notices.refusals import refusal

BranchIsClosed = refusal(409, "branch-is-closed", "The library is closed now.")
BranchFull = refusal(
    409,
    "branch-full",
    "The library is full now. Join the queue, or come back later.",
    "free",
    "wait_minutes",
)
"""The branch holds no more people, with those who were called from the queue."""
NotFull = refusal(409, "branch-not-full", "There is room inside: you don't need to wait.")
QueueFull = refusal(409, "queue-full", "Too many people are waiting. Please come back later.")
TooManyDoors = refusal(
    409, "too-many-doors", "The library has too many doors already. Use one of their names."
)
NoSuchVenue = refusal(
    404, "no-such-venue", "This venue code isn't valid. Please scan the code at the door again."
)
"""No branch has this venue code, or it was replaced."""
NoSuchVisit = refusal(404, "no-such-visit", "There is no such visit. It may have ended.")
VisitsNotKept = refusal(
    409, "visits-not-kept", "This library doesn't register its visitors. You can just walk in."
)
"""The system has no key for the data of visitors, so that none are kept."""
BadSpan = refusal(
    422, "bad-span", "The end must be after the start, and at most 24 hours after it."
)
TooManyVisits = refusal(
    409, "too-many-visits", "More than {most} visits match. Choose a shorter time."
)
