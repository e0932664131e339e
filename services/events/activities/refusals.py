"""Refusals about activities, registrations and recordings."""

from services.events.refusals import refusal

NoSuchActivity = refusal(404, "no-such-activity", "There is no such activity.")
NoRecording = refusal(404, "no-recording", "This activity has no recording.")

NotYetReleased = refusal(
    403, "not-yet-released", "This recording cannot be seen yet.", "available_from"
)
"""`available_from` is the instant of its release."""
EndsBeforeItStarts = refusal(
    422, "ends-before-it-starts", "An activity has to end after it starts."
)
"""The activity's end is not after its start."""
AgesReversed = refusal(422, "ages-reversed", "The lowest age cannot be above the highest.")
"""The lowest age of those who may take part is above the highest."""
OutsideAges = refusal(
    409,
    "outside-ages",
    "On the day of this activity you are younger or older than those whom it is for.",
)
NoRegistrationNeeded = refusal(
    409,
    "no-registration-needed",
    "Everybody may come to this activity. No registration is needed.",
)
"""Everybody may come to the activity without registering."""
AlreadyRegistered = refusal(
    409, "already-registered", "You have registered for this activity already."
)
"""The patron already has a place or is on the waiting list."""
NotRegistered = refusal(404, "not-registered", "You are not registered for this activity.")
"""The patron has no place and is not on the waiting list."""
ActivityBegun = refusal(409, "activity-begun", "This activity has begun.")
"""The activity has begun, so it is too late to register or to withdraw."""
ActivityCancelled = refusal(409, "activity-cancelled", "This activity is cancelled.")
NotItsDay = refusal(409, "not-its-day", "The day of this activity has not come yet.")
"""The activity's first day has not come, so nobody can have attended it."""
OnWaitingList = refusal(
    409, "on-waiting-list", "This registration is on the waiting list and has no place."
)
FewerPlaces = refusal(409, "fewer-places", "An activity can be given more places, not fewer.")
"""The number of places can be raised, not lowered."""
