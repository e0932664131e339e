"""A notification: facts for one patron, which become text when they are read."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from services.notices.domain.patron import Patron

_NAMESPACE = UUID("5f0c3b0e-8d0a-4c56-9d0f-0b8f6c1d7a11")


Facts = Mapping[str, Any]
"""The facts of a notification, by the names that its kind gives them (`kinds/`)."""


@dataclass(frozen=True)
class Broadcast:
    """An event of which several patrons are notified, with the progress of that."""

    id: str
    """Id of the event."""
    version: int
    """Version of this record, raised by each page of patrons notified."""
    kind: str
    """Topic of the event."""
    at: datetime
    """Business time of the event (UTC, whole milliseconds)."""
    about: Facts
    branch: str | None = None
    """Branch whose followers at that time are notified, if set."""
    activity_type: str | None = None
    """Activity type whose followers at that time are notified, if set."""
    after: str = ""
    """End of the pages notified so far."""
    done: bool = False

    @property
    def is_joined(self) -> bool:
        """True if its message also covers other events of its kind at the same moment.

        Announcements of fine suspensions are joined.
        """
        return self.about.get("suspension_id") is not None

    @property
    def message(self) -> str:
        """Key of its messages: the event's id or, if they are joined, its kind and moment."""
        return f"{self.kind} {self.at.astimezone(UTC).isoformat()}" if self.is_joined else self.id

    def concerns(self, patron: Patron) -> bool:
        """Return whether this patron is to be notified.

        Without a follower filter, every listed patron is notified. An erased patron never is.
        """
        if patron.erased:
            return False
        if self.branch is None and self.activity_type is None:
            return True
        then = patron.in_force(self.at)
        if then is None:
            return False
        return self.branch in then.branches or self.activity_type in then.activity_types


@dataclass(frozen=True)
class Notification:
    """A notification of one patron."""

    id: str
    version: int
    patron_id: str
    kind: str
    """Topic of the event that caused it."""
    at: datetime
    """Business time of that event, UTC."""
    about: Facts
    also: tuple[Facts, ...] = ()
    """Sets of facts of other events at the same moment, covered by the same message."""
    happened: str = ""
    """Id of the last event told; event ids of one moment are in the order of happening."""
    read: bool = False
    withdrawn: bool = False
    """True if older preferences that arrived later show that it was not wanted."""

    @property
    def unread(self) -> bool:
        """True if it counts as unread; a withdrawn one does not."""
        return not (self.read or self.withdrawn)


def whole_milliseconds(instant: datetime) -> datetime:
    """Return the instant in the precision of the database, so that comparisons stay the same.

    Otherwise the order of arrival could decide if preferences were saved before a reopening.
    """
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def notification_id(message: str, patron_id: str) -> str:
    """Return the id for this patron and message, the same at every replica and every delivery.

    `message` is the id of an event, or the `message` of a broadcast.
    """
    return str(uuid5(_NAMESPACE, f"{message}:{patron_id}"))


def notification(
    event_id: str, patron_id: str, kind: str, at: datetime, about: Facts
) -> Notification:
    """Return a new, unread notification of an event about one patron."""
    told = notification_id(event_id, patron_id)
    return Notification(told, 1, patron_id, kind, whole_milliseconds(at), about, happened=event_id)


def notification_of(broadcast: Broadcast, patron_id: str, about: Facts) -> Notification:
    """Return a new, unread notification of an event that concerns several patrons."""
    told = notification_id(broadcast.message, patron_id)
    return Notification(
        told, 1, patron_id, broadcast.kind, broadcast.at, about, happened=broadcast.id
    )


def joined(told: Notification, about: Facts, event_id: str) -> Notification:
    """Return the notification with the facts of another event of the same moment, unread again.

    Unchanged if it has these facts already. It has each suspension once, as announced last.
    """
    known = {str(one["suspension_id"]): one for one in (told.about, *told.also)}
    before = known.get(str(about["suspension_id"]))
    if before is not None and (before.get("version") or 0) >= (about.get("version") or 0):
        return told
    known[str(about["suspension_id"])] = about
    first, *rest = (known[suspension_id] for suspension_id in sorted(known))
    return replace(
        told,
        version=told.version + 1,
        about=first,
        also=tuple(rest),
        happened=max(told.happened, event_id),
        read=False,
    )


def read(told: Notification) -> Notification:
    """Return the notification as read; a read one is returned unchanged."""
    return told if told.read else replace(told, version=told.version + 1, read=True)


def withdrawn(told: Notification, withdraw: bool) -> Notification:
    """Return the notification taken out of the inbox, or put back as it was."""
    return replace(told, version=told.version + 1, withdrawn=withdraw)
