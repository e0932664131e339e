"""Causes of free days and moved due dates, so that anyone can check a statement."""

from dataclasses import dataclass
from typing import Literal

CauseKind = Literal["closure", "weekly-closing", "suspension", "policy", "withdrawal"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A closure, weekly closing, fine suspension or policy row that caused something, as it stood.

    The kind `withdrawal` stands for the withdrawal of a closure that was recorded in error, under
    the closure's id.
    """

    kind: CauseKind
    id: str
    version: int
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (version {self.version}): {self.reason}"
