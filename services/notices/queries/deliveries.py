"""Queries about deliveries of notifications: the log of the staff."""

from typing import Any

from services.notices import store
from services.notices.domain.delivery import Delivery, State
from services.notices.queries.cursors import cursor, position
from shared.http.paging import Page, page_of
from shared.mongo import Database


async def page_of_deliveries(
    db: Database, state: State | None, patron_id: str | None, page: Page
) -> dict[str, Any]:
    """Return a page of deliveries, of a state and of a patron if given, the last queued first.

    Raises BadCursor.
    """
    where = {"state": state, "patron_id": patron_id}
    where = {name: value for name, value in where.items() if value is not None}
    found = await store.deliveries.find_where(db, where, position(page), page.limit + 1)
    return page_of(found, page, _cursor)


def _cursor(delivery: Delivery) -> str:
    return cursor(delivery.queued_at, delivery.id)
