"""The titles that views show, and those that this process has read before."""

from collections.abc import Iterable

from services.gateway.views.store.by_client import ByClient
from services.gateway.views.store.schema import Collections
from shared.mongo import Document

MOST_KEPT = 10_000

_kept = ByClient[dict[str, Document]](dict)
"""Titles by id."""


async def current_titles(views: Collections, ids: set[str]) -> dict[str, Document]:
    """Return the stored titles of these ids, and keep them for `known_titles`."""
    if not ids:
        return {}
    found = await views["titles"].find({"_id": {"$in": list(ids)}}).to_list(len(ids))
    titles = {row["_id"]: row for row in found}
    _keep(views, titles.items())
    return titles


async def known_titles(views: Collections, ids: set[str]) -> dict[str, Document]:
    """Return titles of these ids, perhaps as they were when this process last read them.

    A caller that writes them into views compares them with `current_titles` after the write.
    """
    kept = _kept.of(views)
    known = {title_id: kept[title_id] for title_id in ids & kept.keys()}
    return known | await current_titles(views, ids - known.keys())


def _keep(views: Collections, titles: Iterable[tuple[str, Document]]) -> None:
    kept = _kept.of(views)
    for title_id, title in titles:
        kept.pop(title_id, None)
        kept[title_id] = title
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]  # the one that was read longest ago
