"""Cursors of lists that are ordered by an instant and a key."""

from datetime import UTC, datetime

from services.notices.domain.refusals import BadCursor
from shared.clock import parse_instant
from shared.http.paging import Page


def cursor(at: datetime, key: str) -> str:
    """Return the cursor after the item with this instant and key."""
    # Without a plus sign, which a query would have to escape.
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z_{key}"


def position(page: Page) -> tuple[datetime, str] | None:
    """Return the instant and the key after which a page begins; None for the first page.

    Raises BadCursor.
    """
    if page.after is None:
        return None
    at, _, key = page.after.partition("_")
    try:
        return parse_instant(at), key
    except ValueError:
        raise BadCursor from None
