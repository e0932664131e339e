"""Queries about deliveries of notifications: the log of the staff."""

from datetime import UTC, datetime
from typing import Any

from services.notices import store
from services.notices.domain.delivery import Delivery, State
from services.notices.domain.refusals import BadCursor
from shared.clock import parse_instant
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
    found = await store.deliveries.find_where(db, where, _after(page), page.limit + 1)
    return page_of(found, page, _cursor)


def _cursor(delivery: Delivery) -> str:
    # Without a plus sign, which a query would have to escape.
    return f"{delivery.queued_at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z_{delivery.id}"


def _after(page: Page) -> tuple[datetime, str] | None:
    if page.after is None:
        return None
    at, _, delivery_id = page.after.partition("_")
    try:
        return parse_instant(at), delivery_id
    except ValueError:
        raise BadCursor from None
