"""The report of a played scenario: every expectation with its result, and what people see."""

from dataclasses import dataclass, field
from typing import Any


class ScenarioStopped(Exception):
    """A step could not be carried out, so the later steps make no sense."""


@dataclass(frozen=True)
class Check:
    """One expectation and the result."""

    what: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        """True if the result is as expected."""
        return bool(self.expected == self.found)


@dataclass
class StepReport:
    """The result of one step."""

    at: str
    do: str
    tell: str
    checks: list[Check] = field(default_factory=list)


@dataclass
class Report:
    """The whole run."""

    name: str
    steps: list[StepReport] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    inboxes: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    topics: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def checks(self) -> list[Check]:
        """Every expectation of every step."""
        return [check for step in self.steps for check in step.checks]

    @property
    def holds(self) -> bool:
        """True if every expectation holds."""
        return all(check.holds for check in self.checks)

    @property
    def failures(self) -> list[str]:
        """A sentence for each expectation that does not hold."""
        return [
            f"{step.at} {step.do}: {check.what}: expected {check.expected}, found {check.found}"
            for step in self.steps
            for check in step.checks
            if not check.holds
        ]
