"""Branches of the library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch that notices has published."""

    id: str
    """Code of the branch."""
    version: int
