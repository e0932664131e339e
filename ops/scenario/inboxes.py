"""The inboxes of a scenario's patrons: the notifications that each step causes."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import date
from typing import Any

from ops.scenario.report import Check, ScenarioStopped
from ops.scenario.run import Run
from shared.contracts.event import dollars


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
