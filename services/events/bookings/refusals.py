"""Refusals of bookings of single sessions in study rooms."""

from services.events.refusals import Refusal


class NoSuchStudyRoom(Refusal):
    """The library has no study room to book."""

    code = "no-such-study-room"
    status = 404
    reason = "This library has no study room of which you can book a session."


class BadRoom(Refusal):
    """The sessions of a room overlap or are not in order."""

    code = "bad-room"
    status = 422
    reason = "Sessions are in order and do not overlap."


class NoSuchSession(Refusal):
    """The room has no session with this number."""

    code = "no-such-session"
    status = 422
    reason = "There is no such session."


class TooFarAhead(Refusal):
    """The day can't be booked yet."""

    code = "too-far-ahead"
    reason = "This day cannot be booked yet."


class SessionOver(Refusal):
    """The session is over."""

    code = "session-over"
    reason = "This session is over."


class LibraryClosed(Refusal):
    """The library is closed on this day."""

    code = "library-closed"
    reason = "The library is closed on this day."


class RoomInSeason(Refusal):
    """On this day the places are drawn by lot for a season."""

    code = "room-in-season"
    reason = "On this day the places of this study room are those of a season."


class SessionFull(Refusal):
    """All places of the session are booked."""

    code = "session-full"
    reason = "All places of this session are booked."


class BookedAlready(Refusal):
    """The patron has a booking of this session."""

    code = "booked-already"
    reason = "You have booked this session already."


class TooManyBookings(Refusal):
    """The patron has as many bookings in this room as a patron may have."""

    code = "too-many-bookings"
    reason = "You have as many bookings in this study room as you may have at a time."


class NoSuchBooking(Refusal):
    """The patron has no such booking, or no booking has this code."""

    code = "no-such-booking"
    status = 404
    reason = "There is no such booking."
