"""What made a day free or a due date move, so that a statement can be checked by anyone."""

from dataclasses import dataclass
from typing import Literal

CauseKind = Literal["closure", "weekly-closing", "suspension", "policy", "withdrawal"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A closure, a branch's weekly closing, a fine suspension or a policy row, as it stood; or the
    withdrawal of a closure that was recorded in error, under the closure's id.
    """

    kind: CauseKind
    id: str
    version: int
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (version {self.version}): {self.reason}"
