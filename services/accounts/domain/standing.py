"""A patron's standing: the part of circulation's data on debts that accounts needs."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """A patron's standing: blocked for debt or not. The newest version holds."""

    id: str
    """Id of the patron."""
    version: int
    owes_too_much: bool
