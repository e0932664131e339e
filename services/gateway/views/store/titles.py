"""The titles that views show, and those that this process has read before."""

from collections.abc import Iterable
from weakref import finalize

from services.gateway.views.store.schema import Collections
from shared.mongo import Document

MOST_KEPT = 10_000

_kept: dict[int, dict[str, Document]] = {}
"""Titles by id, for each client of a database by its identity: two clients can be equal."""


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
    kept = _of_client(views)
    known = {title_id: kept[title_id] for title_id in ids & kept.keys()}
    return known | await current_titles(views, ids - known.keys())


def _keep(views: Collections, titles: Iterable[tuple[str, Document]]) -> None:
    kept = _of_client(views)
    for title_id, title in titles:
        kept.pop(title_id, None)
        kept[title_id] = title
    while len(kept) > MOST_KEPT:
        del kept[next(iter(kept))]  # the one that was read longest ago


def _of_client(views: Collections) -> dict[str, Document]:
    client = views["titles"].database.client
    if id(client) not in _kept:
        _kept[id(client)] = {}
        finalize(client, _kept.pop, id(client), None)
    return _kept[id(client)]
