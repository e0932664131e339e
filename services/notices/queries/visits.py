"""Queries for contact tracing: the visitors of a recorded look, and the looks themselves."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.notices import sealing, store
from services.notices.domain.visit import Look, Visit, Visitor
from services.notices.sealing import Master
from shared.http.paging import Page, page_of
from shared.mongo import Database


@dataclass(frozen=True)
class SeenVisit:
    """A visit with its visitor; None if the key of its day, or its master key, is gone."""

    visit: Visit
    visitor: Visitor | None = field(repr=False)


async def visits_of_look(
    db: Database, look: Look, since: datetime, master: Master | None
) -> list[SeenVisit]:
    """Return the visits of a look that is recorded, with their visitors, by their entry."""
    wrapped = await store.visits.find_keys(db)
    keys: dict[str, bytes | None] = {
        day: sealing.unwrapped(master, key.wrapped) if master else None
        for day, key in wrapped.items()
    }
    found = await store.visits.find_inside(db, since, look, look.found)
    return [_seen(visit, keys.get(visit.day.isoformat())) for visit in found]


def _seen(visit: Visit, key: bytes | None) -> SeenVisit:
    return SeenVisit(visit, sealing.unseal(key, visit.sealed) if key else None)


async def page_of_looks(db: Database, page: Page) -> dict[str, Any]:
    """Return a page of the looks, the newest first."""
    found = await store.visits.find_looks(db, page.after, page.limit + 1)
    return page_of(found, page, lambda look: str(look.id))
