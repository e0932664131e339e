"""Lists in pages: the part that is asked for, and the response with the cursor of the next."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query

MAX_PAGE = 200


@dataclass(frozen=True)
class Page:
    """The part of a list that is asked for."""

    limit: int
    after: str | None


async def _page(
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Maximum number of items.")] = 50,
    after: Annotated[
        str | None, Query(max_length=200, description="`next` of the previous page.")
    ] = None,
) -> Page:
    return Page(limit, after)


PageQuery = Annotated[Page, Depends(_page)]


def page_of(items: list[Any], page: Page, cursor: Callable[[Any], str]) -> dict[str, Any]:
    """Return `{items, next}` from a query with `limit + 1`: one more item means a next page."""
    more = len(items) > page.limit
    items = items[: page.limit]
    return {"items": items, "next": cursor(items[-1]) if more else None}
