"""The results of audits and checks: the numbers of things checked, and the findings."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Finding:
    """The result of one check of the doctor."""

    check: str
    level: Level
    found: str
    remedy: str = ""
    """The action to take; empty if all is well."""


@dataclass
class Audit:
    """The numbers of things that were checked, and the findings."""

    counts: Counter[str] = field(default_factory=Counter)
    findings: list[str] = field(default_factory=list)
    lost: int = 0
    """Events, loans and notifications that should exist and don't."""
    doubled: int = 0
    """Events, loans and notifications that exist once more than they should."""
    aged: bool = False
    """True if outbox rows have expired: only younger events can be compared with the topics."""

    def expect(self, holds: bool, otherwise: str, *, lost: int = 0, doubled: int = 0) -> None:
        """Note a finding, with the number lost or doubled, unless a condition holds."""
        if not holds:
            self.findings.append(otherwise)
            self.lost += lost
            self.doubled += doubled
