"""The memory of a process: titles of the views that it has read, and its own recent writes."""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, TypeVar
from weakref import finalize

from services.gateway.views.store.schema import Change, Collections, Row, ViewChange, lent_title
from shared.mongo import Document

Kept = TypeVar("Kept")


class ByClient(Generic[Kept]):
    """One value for each client, until the client is deleted.

    Found by the client's identity, because two clients can be equal.
    """

    def __init__(self, make: Callable[[], Kept]) -> None:
        """Keep values that `make` creates when they are first asked for."""
        self._make = make
        self._kept: dict[int, Kept] = {}

    def of(self, views: Collections) -> Kept:
        """Return the value of the client of these views."""
        client = views.client
        if id(client) not in self._kept:
            self._kept[id(client)] = self._make()
            finalize(client, self._kept.pop, id(client), None)
        return self._kept[id(client)]


KEPT_SECONDS = 60.0
"""Time for which a write is remembered. Its events usually arrive within a second."""
MOST_KEPT = 10_000

_Key = tuple[str, str, int]
"""The patron and the path, or the kind and the id of a row; and the version."""


@dataclass(frozen=True, slots=True)
class _Note:
    """A write."""

    served: datetime
    """Time of completion of the views that were served before it began."""
    at: float
    """Monotonic time when it was noted, in seconds."""
    title: Document | None
    """The title that it showed; None: none, or none that was known."""


@dataclass
class _Recent:
    """The writes of a process with one client of a database."""

    served: datetime | None = None
    """Time of completion of the views that it last found; None before the first."""
    written: dict[_Key, _Note] = field(default_factory=dict)
    """Writes, the oldest first."""


_recent = ByClient(_Recent)


def last_served(views: Collections) -> datetime | None:
    """Return the time of completion of the views that this process last found; None: of none.

    Each build has its own, so it tells which views these were.
    """
    return _recent.of(views).served


def note_written(
    views: Collections,
    changes: Sequence[Change],
    served: datetime | None,
    shown: Mapping[str, Document | None],
) -> None:
    """Note changes of a write that a majority has acknowledged, with the titles that it showed.

    `served` is what `last_served` returned before the write began; with None nothing is noted.
    """
    if served is None:
        return
    written = _recent.of(views).written
    for change in changes:
        if (key := _key(change)) is not None:
            written.pop(key, None)
            title = shown.get(lent_title(change) or "")
            written[key] = _Note(served, time.monotonic(), title)
    while len(written) > MOST_KEPT:
        del written[next(iter(written))]


def still_to_write(
    views: Collections, changes: Sequence[Change], served: datetime | None
) -> tuple[list[Change], dict[str, Document | None]]:
    """Return the changes without those that this process has written into these views.

    Also returns the titles that these showed, by id; None if they showed more than one version, or
    none. `served` is the time of completion of the views, read just now; None if they are not
    complete. If it was the same before a write, the write went into these views.
    """
    if served is None:
        return list(changes), {}
    recent = _recent.of(views)
    recent.served = served
    earliest = time.monotonic() - KEPT_SECONDS
    left: list[Change] = []
    shown: dict[str, Document | None] = {}
    for change in changes:
        key = _key(change)
        note = recent.written.get(key) if key is not None else None
        if note is None or note.served != served or note.at < earliest:
            left.append(change)
        elif title_id := lent_title(change):
            shown[title_id] = note.title if shown.get(title_id, note.title) == note.title else None
    return left, shown


def _key(change: Change) -> _Key | None:
    if isinstance(change, ViewChange):
        return change.patron_id, change.path, change.content["version"]
    if isinstance(change, Row) and change.kind == "place":
        return change.kind, change.id, change.content["version"]
    return None


MOST_TITLES = 10_000

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
    while len(kept) > MOST_TITLES:
        del kept[next(iter(kept))]  # the one that was read longest ago
