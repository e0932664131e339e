"""One run of a scenario: its data, the ids of what its steps name, and the patrons' inboxes."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from ops.scenario.api import Api, Flow
from ops.scenario.definition import Check, ScenarioStopped
from shared.contracts.event import dollars


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


@dataclass(frozen=True)
class Notification:
    """One notification as its patron sees it."""

    card: str
    kind: str
    text: str
    about: dict[str, Any]
    id: str


async def new_notifications(run: Run) -> list[Notification]:
    """Return the new notifications of all patrons; none may state an amount during a suspension."""
    inboxes = await asyncio.gather(*(_inbox(run, card) for card in run.cards))
    new = [t for inbox in inboxes for t in inbox if t.id not in run.seen]
    run.seen |= {t.id for t in new}
    for t in new:
        if _is_free(run, t) and "$" in t.text:
            raise ScenarioStopped(
                f"{t.card} got a notification with an amount while fines are suspended: {t.text}"
            )
    return sorted(new, key=lambda t: (t.card, t.kind, barcode_of(run, t), t.text))


async def expect_notifications(run: Run, kind: str, wanted: dict[str, int]) -> list[Notification]:
    """Wait for the effects of a step, and return the new notifications of `kind`."""
    await run.flow.settle()
    new = [t for t in await new_notifications(run) if t.kind == kind]
    found = Counter(t.card for t in new)
    if found != Counter(wanted):
        raise ScenarioStopped(f"{kind}: notified {dict(found)} instead of {wanted}")
    return new


async def check_nobody_notified(run: Run) -> list[Check]:
    """Check that the step has caused no notification."""
    return [Check("nobody is notified", [], [t.kind for t in await new_notifications(run)])]


async def _inbox(run: Run, card: str) -> list[Notification]:
    page = await run.api.get("/v1/me/inbox?limit=200", by=card)
    return [
        Notification(card, item["kind"], item["text"], item.get("about") or {}, item["id"])
        for item in page["items"]
    ]


def _is_free(run: Run, notification: Notification) -> bool:
    about = notification.about.get("loan_id")
    loan = next((loan for loan in run.loans.values() if loan["id"] == about), None)
    if loan is None:
        return notification.kind == "fines.suspended"
    day = date.fromisoformat(run.api.now[:10])
    kind = run.kinds[loan["branch"]]
    return any(
        kind in suspension["kinds"]
        and date.fromisoformat(suspension["starts_on"]) <= day
        and (suspension["resumes_on"] is None or day < date.fromisoformat(suspension["resumes_on"]))
        for suspension in run.suspensions.values()
    )


def barcode_of(run: Run, notification: Notification) -> str:
    """Return the barcode of the copy that a notification is about, or `?`."""
    loans = {loan["id"]: barcode for barcode, loan in run.loans.items()}
    return loans.get(str(notification.about.get("loan_id")), "?")


def all_state_amount(notifications: list[Notification], cents: int) -> bool:
    """Return whether there are notifications and all of them state the amount."""
    return bool(notifications) and all(dollars(cents) in n.text for n in notifications)
