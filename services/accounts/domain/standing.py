"""What circulation says of a patron's debts, as far as accounts needs it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a patron owes so much that they may not borrow; the newest version holds."""

    id: str
    """Of the patron."""
    version: int
    owes_too_much: bool
