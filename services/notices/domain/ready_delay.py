"""The time that a library takes to put a ready item on its hold shelf."""

from dataclasses import dataclass
from datetime import datetime

LONGEST_MINUTES = 240


@dataclass(frozen=True)
class ReadyDelay:
    """Minutes after which patrons are told that an item is ready at a branch."""

    id: str
    """The branch code."""
    version: int
    minutes: int
    set_by: str
    """Name of the librarian."""
    set_at: datetime


def set_to(
    before: ReadyDelay | None, branch: str, minutes: int, librarian: str, at: datetime
) -> ReadyDelay:
    """Return the delay of a branch, which replaces the one before."""
    version = 1 if before is None else before.version + 1
    return ReadyDelay(branch, version, minutes, librarian, at)
