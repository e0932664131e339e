"""What notices knows of a patron: the language, and what was followed from when.

Events of one patron come in any order across topics. So the versions of the preferences are kept
with their business time, and what a patron is told of is decided by the version that was in force
when it happened, not by the one that happened to arrive last.
"""

from dataclasses import dataclass, replace
from datetime import datetime

KEPT_PREFERENCES = 50
"""How many versions of the preferences are kept for each patron, the latest ones."""

DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class Preferences:
    """One version of a patron's preferences."""

    version: int
    at: datetime
    """When they were saved (business time, UTC, whole milliseconds)."""
    branches: tuple[str, ...]
    """Codes of the branches followed."""
    activity_types: tuple[str, ...]
    language: str


@dataclass(frozen=True)
class Patron:
    """A patron, or, once erased, the tombstone that keeps later events from creating anything."""

    id: str
    version: int = 1
    """Counts the writes of this record: every notification is one, so that an erasure and a
    notification at the same moment can't both succeed."""
    seen: int = 0
    """The patron's version as accounts counts it; 0: only spoken of by others so far."""
    language: str = DEFAULT_LANGUAGE
    erased: bool = False
    preferences: tuple[Preferences, ...] = ()
    """In order of their versions."""

    @property
    def speaks(self) -> str:
        """The language to tell this patron in: the one chosen in My Setting, if any was."""
        return self.preferences[-1].language if self.preferences else self.language

    def in_force(self, at: datetime) -> Preferences | None:
        """The preferences at an instant; None where none were saved, or none is known any more."""
        return next((p for p in reversed(self.preferences) if p.at <= at), None)


def seen(patron: Patron, version: int, language: str) -> Patron:
    """The patron as accounts last described them; an older description changes nothing."""
    if patron.erased or version <= patron.seen:
        return patron
    return replace(patron, version=patron.version + 1, seen=version, language=language)


def erased(patron: Patron) -> Patron:
    """The tombstone of the patron."""
    return Patron(id=patron.id, version=patron.version + 1, seen=patron.seen, erased=True)


def prefers(patron: Patron, preferences: Preferences) -> Patron:
    """The patron with this version of the preferences known, whenever it comes."""
    known = {p.version for p in patron.preferences}
    if patron.erased or preferences.version in known:
        return patron
    kept = sorted([*patron.preferences, preferences], key=lambda p: p.version)
    kept = kept[-KEPT_PREFERENCES:]
    if preferences not in kept:
        return patron
    return replace(patron, version=patron.version + 1, preferences=tuple(kept))


def in_force_between(patron: Patron, version: int) -> tuple[datetime, datetime | None] | None:
    """From when until when (None: still) a version of the preferences is in force.

    None where it never is, or is not kept.
    """
    found = next((p for p in patron.preferences if p.version == version), None)
    if found is None:
        return None
    later = [p.at for p in patron.preferences if p.version > version]
    until = min(later, default=None)
    if until is not None and until <= found.at:
        return None
    return found.at, until
