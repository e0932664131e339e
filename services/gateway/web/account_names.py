"""Reads of the names of people and machines by the ids of their accounts, for lists of acts."""

import asyncio
from collections.abc import Iterable
from typing import Any

from services.gateway.web.api import Api

AT_ONCE = 500
"""Number of names that one request asks for."""


async def account_names(api: Api, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Return the names, roles and cards of accounts, by id; none of those erased or removed.

    Empty if they can't be read, and pages then show the ids.
    """
    wanted = sorted({one for one in ids if one})
    parts = [wanted[at : at + AT_ONCE] for at in range(0, len(wanted), AT_ONCE)]
    path = "/v1/account-names"
    replies = await asyncio.gather(*(api.send("POST", path, {"ids": part}) for part in parts))
    return {one["id"]: one for reply in replies if reply.done for one in reply.items}
