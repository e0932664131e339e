"""Patrons not heard of yet: registered a moment ago, with the event under way, or nobody."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.circulation.domain.patron import Patron, blocked_elsewhere
from shared.owners import Owners


async def ask_for_card(owners: Owners, card_number: str, now: datetime) -> Patron | None:
    """The patron of a card, as accounts knows them."""
    answer = await owners.get("accounts", "/v1/patrons", now=now, params={"card": card_number})
    for found in (answer or {}).get("items", ()):
        return _patron(found)
    return None


async def ask_for_patron(owners: Owners, patron_id: str, now: datetime) -> Patron | None:
    """The patron with an id, as accounts knows them."""
    found = await owners.get("accounts", f"/v1/patrons/{patron_id}", now=now)
    return None if found is None else _patron(found)


def _patron(found: Mapping[str, Any]) -> Patron:
    return Patron(
        id=found["id"],
        category=found["category"],
        blocked=blocked_elsewhere(found["status"], found.get("blocked_by", ())),
        version=found["version"],
        card_digest=found["card_digest"],
    )
