"""The definition of a scenario, from a YAML file, and the report of its play."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

SCENARIO = Path(__file__).with_name("reopening-2021.yaml")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

Step = dict[str, Any]


def read_scenario(path: Path = SCENARIO) -> dict[str, Any]:
    """Return a scenario from its file."""
    scenario: dict[str, Any] = yaml.safe_load(path.read_text())
    return scenario


def opening_hours(scenario: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the weekly hours of each kind of branch in the API's form."""
    return {kind: weekly(week) for kind, week in scenario["hours"].items()}


def weekly(week: dict[str, str]) -> list[dict[str, Any]]:
    """Return hours such as `mon: "10:00-21:00"` in the API's form."""
    return [
        {"weekday": WEEKDAYS.index(day) + 1, "opens": span[:5], "closes": span[6:]}
        for day, span in week.items()
    ]


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
