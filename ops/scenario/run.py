"""One run of a scenario: its data, and the system's ids of the things that its steps name."""

from dataclasses import dataclass, field
from typing import Any

from ops.scenario.api import Api
from ops.scenario.flow import Flow


@dataclass
class Run:
    """The state that the steps of a run share."""

    scenario: dict[str, Any]
    api: Api
    flow: Flow
    cards: dict[str, dict[str, Any]] = field(init=False)
    """Patrons by card."""
    kinds: dict[str, str] = field(init=False)
    """Kinds of branches by code."""
    titles: dict[str, str] = field(default_factory=dict)
    """Ids of titles by ISBN."""
    holds: dict[tuple[str, str], str] = field(default_factory=dict)
    """Ids of holds by card and ISBN."""
    activities: dict[str, str] = field(default_factory=dict)
    enquiries: dict[str, str] = field(default_factory=dict)
    """Ids of enquiries by subject."""
    visits: dict[str, str] = field(default_factory=dict)
    """Ids of visits by the visitor's name."""
    seasons: dict[str, str] = field(default_factory=dict)
    """Ids of seasons of the study rooms by name."""
    closures: dict[str, str] = field(default_factory=dict)
    suspensions: dict[str, dict[str, Any]] = field(default_factory=dict)
    loans: dict[str, dict[str, Any]] = field(default_factory=dict)
    """The latest loan of each copy, by barcode."""
    borrowers: dict[str, str] = field(default_factory=dict)
    """Cards by loan id."""
    seen: set[str] = field(default_factory=set)
    """Ids of the notifications that an earlier step has read."""

    def __post_init__(self) -> None:
        self.cards = {patron["card_number"]: patron for patron in self.scenario["patrons"]}
        self.kinds = {branch["code"]: branch["kind"] for branch in self.scenario["branches"]}
