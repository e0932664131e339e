"""Reads of holds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date

from services.circulation.catalogue import store as catalogue_store
from services.circulation.holds import store
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
from shared.mongo import Database


@dataclass(frozen=True, slots=True)
class ToFetch:
    """A copy that staff have to fetch from a shelf, the name of its title, and its hold."""

    copy: Copy
    title: str
    hold: Hold


async def to_fetch(db: Database, branch: str, limit: int, after: str | None) -> list[ToFetch]:
    """Return up to `limit` + 1 of the copies that staff have to fetch at a branch."""
    copies = await catalogue_store.find_to_fetch(db, branch, limit, after)
    names = await catalogue_store.find_names(db, {copy.title_id for copy in copies})
    holds = await store.find_some(db, {copy.hold_id for copy in copies if copy.hold_id})
    return [
        ToFetch(copy, names.get(copy.title_id, ""), holds[copy.hold_id])
        for copy in copies
        if copy.hold_id in holds
    ]


async def holds_to_end(db: Database, day: date) -> AsyncIterator[str]:
    """Yield the ids of the holds that may be over on `day`: no longer wanted, or not collected.

    Goes by the stored dates. `expire_hold` checks whether a closure has moved them since.
    """
    async for hold_id in store.unwanted(db, day):
        yield hold_id
    async for hold_id in store.uncollected(db, day):
        yield hold_id
