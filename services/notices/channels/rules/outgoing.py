"""A message to a device or a webhook about one notification: its tries, and what became of it.

Its times are of the wall clock, because receivers know no other.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, TypeVar

MessageState = Literal["waiting", "sent", "dropped", "failed"]
"""`waiting` until it is sent; `dropped` if there was no reason left to send it; `failed` if it
could not be sent for a day."""

LASTS = timedelta(days=1)
"""Time after which a message is given up."""
FIRST_PAUSE = timedelta(minutes=1)
"""Pause before the second try; twice as long before each further one."""
LONGEST_PAUSE = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True)
class OutgoingMessage:
    """A message about one notification, and what became of it."""

    id: str
    """The same at each try."""
    version: int
    patron_id: str
    notification_id: str
    queued_at: datetime
    next_at: datetime
    """Time of the next try; during a try, the time after which another process may repeat it."""
    state: MessageState = "waiting"
    reason: str | None = None
    status: int | None = None
    """HTTP status of the last answer."""
    tries: int = 0
    ended_at: datetime | None = None


M = TypeVar("M", bound=OutgoingMessage)


def to_queue(new: M, known: M | None) -> M | None:
    """Return the message to write about a notification; None if there is one already.

    One that was dropped because the notification was withdrawn waits again.
    """
    if known is None:
        return new
    return replace(new, version=known.version + 1) if known.reason == "withdrawn" else None


def sent(message: M, at: datetime, status: int) -> M:
    """Return the message as accepted by its receiver."""
    return ended(message, at, "sent", None, status)


def dropped(message: M, reason: str, at: datetime, status: int | None = None) -> M:
    """Return the message as dropped, because there is no reason left to send it."""
    return ended(message, at, "dropped", reason, status)


def given_up(message: M, at: datetime) -> M:
    """Return the message as given up after a day."""
    return ended(message, at, "failed", "too-late", message.status)


def postponed(message: M, reason: str, at: datetime, status: int | None = None) -> M:
    """Return the message after a failure, to be tried after a pause."""
    next_at = at + pause_after(message.tries)
    return replace(
        message, version=message.version + 1, next_at=next_at, reason=reason, status=status
    )


def ended(
    message: M, at: datetime, state: MessageState, reason: str | None, status: int | None
) -> M:
    """Return the message with its end."""
    return replace(
        message,
        version=message.version + 1,
        state=state,
        reason=reason,
        status=status,
        ended_at=at,
    )


def pause_after(tries: int) -> timedelta:
    """Return the pause after a number of tries, which doubles from one minute to one hour."""
    return min(FIRST_PAUSE * (1 << min(max(tries - 1, 0), 10)), LONGEST_PAUSE)


def is_too_late(queued_at: datetime, at: datetime) -> bool:
    """Return whether what was queued then has waited for a day."""
    return at - queued_at >= LASTS
