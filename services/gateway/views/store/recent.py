"""Recent writes of this process to the views, whose events need no write of their own.

Bounded in number and time (docs/decisions/186).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from weakref import finalize

from services.gateway.views.store.changes import Change, Row, ViewChange
from services.gateway.views.store.schema import Collections
from shared.clock import wall_clock

KEPT = timedelta(seconds=60)
"""Time for which a write is remembered. Its events usually arrive within a second."""
MOST_KEPT = 10_000

_Key = tuple[str, str, int]
"""The patron and the path, or the kind and the id of a row; and the version."""
_written: dict[int, dict[_Key, datetime]] = {}
"""Time of each write, the oldest first, for each client of a database by its identity."""


def note_written(views: Collections, changes: Sequence[Change], begun: datetime) -> None:
    """Note changes of a write that a majority has acknowledged, and that began at `begun`."""
    written = _of_client(views)
    for change in changes:
        if (key := _key(change)) is not None:
            written.pop(key, None)
            written[key] = begun
    while len(written) > MOST_KEPT:
        del written[next(iter(written))]


def still_to_write(
    views: Collections, changes: Sequence[Change], since: datetime | None, margin: timedelta
) -> list[Change]:
    """Return the changes without those that this process has written, into these views.

    `since` is the time when the views became complete; None if they are not. A write may have gone
    into the views before them until that time, by a clock that differs by less than `margin`.
    """
    written = _of_client(views)
    if since is None or not written:
        return list(changes)
    earliest = max(since + margin, wall_clock() - KEPT)
    left: list[Change] = []
    for change in changes:
        at = written.get(key) if (key := _key(change)) is not None else None
        if at is None or at < earliest:
            left.append(change)
    return left


def _key(change: Change) -> _Key | None:
    if isinstance(change, ViewChange):
        return change.patron_id, change.path, change.content["version"]
    if isinstance(change, Row) and change.kind == "place":
        return change.kind, change.id, change.content["version"]
    return None


def _of_client(views: Collections) -> dict[_Key, datetime]:
    client = views["account_views"].database.client
    if id(client) not in _written:
        _written[id(client)] = {}
        finalize(client, _written.pop, id(client), None)
    return _written[id(client)]
