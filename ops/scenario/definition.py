"""The definition of a scenario: its libraries, people and dated steps, from a YAML file."""

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
