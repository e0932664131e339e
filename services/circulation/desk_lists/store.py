"""The documents of each list of a desk, each read and counted by an index."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.circulation.catalogue import store as catalogue_store
from services.circulation.conflicts import store as conflicts_store
from services.circulation.holds import store as holds_store
from services.circulation.loans.store import loans as loans_store
from services.circulation.rules.copy import Copy, CopyState
from shared.mongo import Cursor, Database, from_document

MOST_COUNTED = 1000
"""Number at which counting ends: a list that is longer has at least one more."""


@dataclass(frozen=True)
class Listed:
    """The documents of one list of a branch, in the order of a field and then of their ids."""

    collection: str
    where: Mapping[str, Any]
    index: str | None
    order: str = "_id"


def _copies(branch: str, state: CopyState, more: Mapping[str, Any] | None = None) -> Listed:
    where = {"at_branch": branch, "state": state.value, **(more or {})}
    return Listed("copies", where, catalogue_store.AT_DESK)


def to_fetch(branch: str) -> Listed:
    """Copies that staff have to fetch from a shelf of the branch."""
    return _copies(branch, CopyState.TO_FETCH)


def to_send(branch: str) -> Listed:
    """Copies in transit that have not left the branch yet."""
    return _copies(branch, CopyState.IN_TRANSIT, {"sent_on": None})


def on_the_way(branch: str) -> Listed:
    """Copies that have left the branch and not arrived, those that left first at the beginning."""
    listed = _copies(branch, CopyState.IN_TRANSIT, {"sent_on": {"$gt": ""}})
    return Listed(listed.collection, listed.where, listed.index, "sent_on")


def arriving(branch: str) -> Listed:
    """Copies in transit to the branch."""
    where = {"bound_for": branch, **catalogue_store.IN_TRANSIT}
    return Listed("copies", where, catalogue_store.ARRIVING)


def lost(branch: str) -> Listed:
    """Copies that are lost by patrons, or missing from where they should be."""
    return _copies(branch, CopyState.LOST)


def uncleared(branch: str) -> Listed:
    """Copies that still lie on the hold shelf, although their hold has ended or has moved."""
    where = {"at_branch": branch, **catalogue_store.ON_SHELF_OF_ENDED}
    return Listed("copies", where, catalogue_store.SHELVED, "shelved_for")


def on_shelf(branch: str, until: date | None = None) -> Listed:
    """Holds that are ready to be collected at the branch; with `until`, on this last day."""
    more = {} if until is None else {"shelf_until": until.isoformat()}
    return Listed("holds", {"pickup_branch": branch, **holds_store.READY, **more}, None)


def due(branch: str, days: Mapping[str, date], *, unclaimed: bool) -> Listed:
    """Open loans of the branch with a due date in a range, those due first at the beginning.

    `days` has its edges by operator; with `unclaimed`, loans that are said to be back are left out.
    """
    edges = {operator: day.isoformat() for operator, day in days.items()}
    more = {"claimed_returned_on": None} if unclaimed else {}
    where = {"branch_code": branch, "due_on": edges, **more, **loans_store.OPEN}
    return Listed("loans", where, loans_store.BY_DUE_DATE, "due_on")


def claimed(branch: str, due_by: date | None = None) -> Listed:
    """Open loans of the branch that are said to be back; with `due_by`, those due by that day."""
    more = {} if due_by is None else {"due_on": {"$lte": due_by.isoformat()}}
    where = {"branch_code": branch, **loans_store.CLAIMED, **more, **loans_store.OPEN}
    return Listed("loans", where, loans_store.CLAIMS, "claimed_returned_on")


def conflicts(branch: str) -> Listed:
    """Check-outs reported by an offline desk of the branch that staff have not settled."""
    where = {"branch_code": branch, "resolution": None}
    return Listed("conflicts", where, conflicts_store.OF_BRANCH)


def cursor(db: Database, listed: Listed, limit: int, after: tuple[str, str] | None) -> Cursor:
    """Find up to `limit` + 1 documents of a list, after a value of its order and an id."""
    where = dict(listed.where)
    if after is not None:
        value, last = after
        later: dict[str, Any] = {"_id": {"$gt": last}}
        if listed.order != "_id":
            edge = {listed.order: {"$gte": value}}
            later = {"$and": [edge, {"$or": [{listed.order: {"$gt": value}}, later]}]}
        where |= later
    order = [(listed.order, 1), *([("_id", 1)] if listed.order != "_id" else [])]
    found = db[listed.collection].find(where, limit=limit + 1).sort(order)
    return found.hint(listed.index) if listed.index else found


async def count(db: Database, listed: Listed, most: int | None = MOST_COUNTED) -> int:
    """Return the number of documents of a list; `most` + 1 if there are more than `most`."""
    more: dict[str, Any] = {"hint": listed.index} if listed.index else {}
    if most is not None:
        more["limit"] = most + 1
    found: int = await db[listed.collection].count_documents(listed.where, **more)
    return found


async def find_copies(db: Database, by: str, values: Collection[str]) -> dict[str, Copy]:
    """Return the copies whose `_id` or `barcode` is among some values, keyed by that field."""
    found = db.copies.find({by: {"$in": sorted(values)}})
    return {document[by]: from_document(Copy, document) async for document in found}
