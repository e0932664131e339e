"""Patrons with their preferences, and the notifications in their inboxes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

KEPT_PREFERENCES = 50
"""Number of preference versions kept for each patron, the latest ones."""

DEFAULT_LANGUAGE = "en"
_NAMESPACE = UUID("5f0c3b0e-8d0a-4c56-9d0f-0b8f6c1d7a11")


Facts = Mapping[str, Any]
"""The facts of a notification, by the names that its kind gives them (`kinds/`)."""


@dataclass(frozen=True)
class Preferences:
    """One version of a patron's preferences."""

    version: int
    at: datetime
    """Time when they were saved (business time, UTC, whole milliseconds)."""
    branches: tuple[str, ...]
    """Codes of the followed branches."""
    activity_types: tuple[str, ...]
    language: str
    channels: tuple[str, ...] = ()
    """Chosen channels; the inbox is always one. Empty in documents stored before the field."""
    digest: bool = False
    """True: one e-mail a day with all notifications that can wait until then."""


@dataclass(frozen=True)
class Patron:
    """A patron or, once erased, a tombstone, so that later events create nothing."""

    id: str
    version: int = 1
    """Number of writes of this record.

    Every notification is one, so an erasure and a notification at the same moment cannot both
    succeed.
    """
    seen: int = 0
    """Version of the patron in accounts; 0 if no `patron.*` event has arrived yet."""
    language: str = DEFAULT_LANGUAGE
    home_branch: str = ""
    """Code of the home library; empty in documents stored before the field."""
    by_post: bool = False
    """True if accounts has a postal address of the patron."""
    erased: bool = False
    preferences: tuple[Preferences, ...] = ()
    """In order of their versions."""

    @property
    def speaks(self) -> str:
        """Language for this patron: the one chosen in My Setting, if any."""
        return self.preferences[-1].language if self.preferences else self.language

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels chosen last."""
        return self.preferences[-1].channels if self.preferences else ()

    @property
    def wants_digest(self) -> bool:
        """True if the patron chose one e-mail a day."""
        return bool(self.preferences) and self.preferences[-1].digest

    def in_force(self, at: datetime) -> Preferences | None:
        """Return the preferences at an instant; None if none were saved, or they are not kept."""
        return next((p for p in reversed(self.preferences) if p.at <= at), None)


def seen(
    patron: Patron, version: int, language: str, *, home_branch: str = "", by_post: bool = False
) -> Patron:
    """Return the patron as accounts last described them; an older description changes nothing."""
    if patron.erased or version <= patron.seen:
        return patron
    return replace(
        patron,
        version=patron.version + 1,
        seen=version,
        language=language,
        home_branch=home_branch,
        by_post=by_post,
    )


def erased(patron: Patron) -> Patron:
    """Return the tombstone of the patron."""
    return Patron(id=patron.id, version=patron.version + 1, seen=patron.seen, erased=True)


def prefers(patron: Patron, preferences: Preferences) -> Patron:
    """Return the patron with this version of the preferences added, in any order of arrival."""
    known = {p.version for p in patron.preferences}
    if patron.erased or preferences.version in known:
        return patron
    kept = sorted([*patron.preferences, preferences], key=lambda p: p.version)
    kept = kept[-KEPT_PREFERENCES:]
    if preferences not in kept:
        return patron
    return replace(patron, version=patron.version + 1, preferences=tuple(kept))


def in_force_between(patron: Patron, version: int) -> tuple[datetime, datetime | None] | None:
    """Return the span in which a version of the preferences is in force; its end may be None.

    None if the version never is in force, or is not kept.
    """
    found = next((p for p in patron.preferences if p.version == version), None)
    if found is None:
        return None
    later = [p.at for p in patron.preferences if p.version > version]
    until = min(later, default=None)
    if until is not None and until <= found.at:
        return None
    return found.at, until


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
    """Id of the last event that it covers; ids of one moment are in the order of happening."""
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
    new_id = notification_id(event_id, patron_id)
    return Notification(
        new_id, 1, patron_id, kind, whole_milliseconds(at), about, happened=event_id
    )


def notification_of(broadcast: Broadcast, patron_id: str, about: Facts) -> Notification:
    """Return a new, unread notification of an event that concerns several patrons."""
    new_id = notification_id(broadcast.message, patron_id)
    return Notification(
        new_id, 1, patron_id, broadcast.kind, broadcast.at, about, happened=broadcast.id
    )


def joined(existing: Notification, about: Facts, event_id: str) -> Notification:
    """Return the notification with the facts of another event of the same moment, unread again.

    Unchanged if it has these facts already. It has each suspension once, as announced last.
    """
    known = {str(one["suspension_id"]): one for one in (existing.about, *existing.also)}
    before = known.get(str(about["suspension_id"]))
    if before is not None and (before.get("version") or 0) >= (about.get("version") or 0):
        return existing
    known[str(about["suspension_id"])] = about
    first, *rest = (known[suspension_id] for suspension_id in sorted(known))
    return replace(
        existing,
        version=existing.version + 1,
        about=first,
        also=tuple(rest),
        happened=max(existing.happened, event_id),
        read=False,
    )


def read(existing: Notification) -> Notification:
    """Return the notification as read; a read one is returned unchanged."""
    return existing if existing.read else replace(existing, version=existing.version + 1, read=True)


def withdrawn(existing: Notification, withdraw: bool) -> Notification:
    """Return the notification taken out of the inbox, or put back as it was."""
    return replace(existing, version=existing.version + 1, withdrawn=withdraw)
