"""Look-ups of patrons and their cards in accounts. Events do not say which card a patron has."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from services.circulation.domain.patron import Patron, blocked_elsewhere
from shared.owners import Owners, path_to


async def ask_for_card(owners: Owners, card_number: str, now: datetime) -> Patron | None:
    """Ask accounts for the patron of a card; return None if there is none.

    Accounts may know a patron who registered a moment ago before the event arrives here.
    """
    answer = await owners.get("accounts", "/v1/patrons", now=now, params={"card": card_number})
    for found in (answer or {}).get("items", ()):
        return _patron(found)
    return None


async def ask_for_patron(owners: Owners, patron_id: str, now: datetime) -> Patron | None:
    """Ask accounts for the patron with an id; return None if there is none."""
    found = await owners.get("accounts", path_to("v1", "patrons", patron_id), now=now)
    return None if found is None else _patron(found)


def _patron(found: Mapping[str, Any]) -> Patron:
    return Patron(
        id=found["id"],
        category=found["category"],
        blocked=blocked_elsewhere(found["status"], found.get("blocked_by", ())),
        version=found["version"],
        card_digest=found["card_digest"],
    )
