"""A patron as notices knows them: language, and preferences with their history.

Events of one patron arrive in any order across topics. So the versions of the preferences are
stored with their business time, and a patron is notified by the version that was in force when the
event happened, not by the version that arrived last.
"""

from dataclasses import dataclass, replace
from datetime import datetime

KEPT_PREFERENCES = 50
"""Number of preference versions kept for each patron, the latest ones."""

DEFAULT_LANGUAGE = "en"


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


def seen(patron: Patron, version: int, language: str) -> Patron:
    """Return the patron as accounts last described them; an older description changes nothing."""
    if patron.erased or version <= patron.seen:
        return patron
    return replace(patron, version=patron.version + 1, seen=version, language=language)


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
