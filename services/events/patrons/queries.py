"""Patrons as accounts has them."""

from typing import Any

from services.events.refusals import NoSuchPatron
from shared.owners import path_to
from shared.refusals import or_refuse
from shared.unit_of_work import Run


async def ask_for_patron(run: Run, patron_id: str) -> dict[str, Any]:
    """Ask accounts for a patron. Raises NoSuchPatron, or OwnerAway."""
    path = path_to("v1", "patrons", patron_id)
    found: dict[str, Any] | None = await run.owners.get("accounts", path, now=run.now)
    return or_refuse(found, NoSuchPatron)
