"""Refusals of bookings of single sessions in study rooms."""

from services.events.refusals import refusal

NoSuchStudyRoom = refusal(
    404, "no-such-study-room", "This library has no study room of which you can book a session."
)
BadRoom = refusal(422, "bad-room", "Sessions are in order and do not overlap.")
"""The sessions of a room overlap or are not in order."""
NoSuchSession = refusal(422, "no-such-session", "There is no such session.")
"""The room has no session with this number."""
TooFarAhead = refusal(409, "too-far-ahead", "This day cannot be booked yet.")
SessionOver = refusal(409, "session-over", "This session is over.")
LibraryClosed = refusal(409, "library-closed", "The library is closed on this day.")
RoomInSeason = refusal(
    409, "room-in-season", "On this day the places of this study room are those of a season."
)
SessionFull = refusal(409, "session-full", "All places of this session are booked.")
BookedAlready = refusal(409, "booked-already", "You have booked this session already.")
"""The patron has a booking of this session."""
TooManyBookings = refusal(
    409,
    "too-many-bookings",
    "You have as many bookings in this study room as you may have at a time.",
)
NoSuchBooking = refusal(404, "no-such-booking", "There is no such booking.")
"""The patron has no such booking, or no booking has this code."""
