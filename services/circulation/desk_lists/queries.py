"""Lists of a branch and their lengths. A page of rows takes a fixed number of reads."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.desk_lists import store
from services.circulation.desk_lists.store import MOST_COUNTED, Listed
from services.circulation.holds import store as holds_store
from services.circulation.loans.store import loans as loans_store
from services.circulation.refusals import NoSuchBranch
from services.circulation.rules.conflict import Conflict
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
from services.circulation.rules.loan import Loan
from shared.mongo import Database, Document, from_document

DAY = timedelta(days=1)


class Name(StrEnum):
    """Name of a list."""

    TO_FETCH = "to-fetch"
    ON_SHELF = "on-shelf"
    UNCLEARED = "uncleared"
    TO_SEND = "to-send"
    ON_THE_WAY = "on-the-way"
    ARRIVING = "arriving"
    OVERDUE = "overdue"
    DUE_TODAY = "due-today"
    CLAIMED = "claimed"
    LOST = "lost"
    CONFLICTS = "conflicts"


@dataclass(frozen=True)
class Row:
    """A row of a list: the document that it is about, and what belongs to it."""

    id: str
    position: str
    """Value of the list's order."""
    title: str
    copy: Copy | None = None
    loan: Loan | None = None
    hold: Hold | None = None
    """The hold that the copy is for, or was kept for until it ended."""
    conflict: Conflict | None = None

    @property
    def patron_id(self) -> str | None:
        """Patron whom the row is about; None: it is about none."""
        found = next((one for one in (self.loan, self.hold, self.conflict) if one), None)
        return found.patron_id if found else None


@dataclass(frozen=True)
class ListQuery:
    """A list of a branch on a day."""

    name: Name
    branch: str
    today: date
    first: date | None = None
    """First due date of the loans that are overdue; None: any. Other lists have no such range."""
    last: date | None = None


async def _overdue_by(db: Database, branch: str, today: date) -> date | None:
    """Return the last due date that makes a loan of the branch overdue today; None: there is none.

    The calendar decides, as in `due_date.is_overdue`: a loan is overdue once the branch was open
    on a day from its due date to yesterday. Raises NoSuchBranch.
    """
    calendar = (await calendars_store.find(db, {branch})).get(branch)
    if calendar is None:
        raise NoSuchBranch(branch=branch)
    return calendar.now.previous_open(today - DAY)


_PLAIN: Mapping[Name, Callable[[str], Listed]] = {
    Name.TO_FETCH: store.to_fetch,
    Name.ON_SHELF: store.on_shelf,
    Name.UNCLEARED: store.uncleared,
    Name.TO_SEND: store.to_send,
    Name.ON_THE_WAY: store.on_the_way,
    Name.ARRIVING: store.arriving,
    Name.CLAIMED: store.claimed,
    Name.LOST: store.lost,
    Name.CONFLICTS: store.conflicts,
}


LAST_DAY = "last-day"
"""Name of the number of holds of `on-shelf` that can be collected today for the last time."""


async def counts(db: Database, branch: str, today: date) -> dict[str, int]:
    """Return the lengths of all lists of a branch, at most MOST_COUNTED + 1. Raises NoSuchBranch.

    Counted by indexes alone. Of loans that are overdue, those that are said to be back are taken
    off; of copies in transit, those that have left. What is taken off is counted without a limit.
    """
    by = await _overdue_by(db, branch, today)
    claimed, left = await asyncio.gather(
        store.count(db, store.claimed(branch, by), None) if by else _nothing(),
        store.count(db, store.on_the_way(branch), None),
    )
    differences = {Name.TO_SEND, Name.ON_THE_WAY}
    lists: dict[str, Listed] = {
        name: of(branch) for name, of in _PLAIN.items() if name not in differences
    }
    lists[Name.DUE_TODAY] = store.due(branch, {"$gte": today, "$lte": today}, unclaimed=False)
    lists[LAST_DAY] = store.on_shelf(branch, today)
    in_transit, overdue, *found = await asyncio.gather(
        store.count(db, _in_transit_from(branch), left + MOST_COUNTED),
        store.count(db, store.due(branch, {"$lte": by}, unclaimed=False), claimed + MOST_COUNTED)
        if by
        else _nothing(),
        *(store.count(db, one) for one in lists.values()),
    )
    lengths = {
        **dict(zip(lists, found, strict=True)),
        Name.ON_THE_WAY: left,
        # Copies may arrive between the two reads.
        Name.TO_SEND: max(in_transit - left, 0),
        Name.OVERDUE: max(overdue - claimed, 0),
    }
    return {name: min(lengths[name], MOST_COUNTED + 1) for name in (*Name, LAST_DAY)}


async def _nothing() -> int:
    return 0


def _in_transit_from(branch: str) -> Listed:
    both = store.to_send(branch)
    where = {name: value for name, value in both.where.items() if name != "sent_on"}
    return Listed(both.collection, where, both.index)


async def listed(db: Database, asked: ListQuery) -> Listed | None:
    """Return the documents of a list; None if there can be none. Raises NoSuchBranch."""
    name, branch = asked.name, asked.branch
    if name in _PLAIN:
        return _PLAIN[name](branch)
    if name is Name.DUE_TODAY:
        return store.due(branch, {"$gte": asked.today, "$lte": asked.today}, unclaimed=False)
    by = await _overdue_by(db, branch, asked.today)
    if by is None:
        return None
    days = {"$lte": min(by, asked.last or by)}
    if asked.first:
        days["$gte"] = asked.first
    return store.due(branch, days, unclaimed=True)


async def rows(
    db: Database, asked: ListQuery, limit: int, after: tuple[str, str] | None = None
) -> list[Row]:
    """Return up to `limit` + 1 rows of a list, in its order. Raises NoSuchBranch."""
    documents = await listed(db, asked)
    found = await store.cursor(db, documents, limit, after).to_list(None) if documents else []
    if not found or documents is None:
        return []
    match documents.collection:
        case "copies":
            return await _of_copies(db, asked.name, found, documents.order)
        case "holds":
            return await _of_holds(db, found)
        case "loans":
            return await _of_loans(db, found, documents.order)
        case _:
            return await _of_conflicts(db, found)


async def _of_copies(db: Database, name: Name, found: Sequence[Document], order: str) -> list[Row]:
    copies = [from_document(Copy, one) for one in found]
    for_holds = {one.shelved_for if name is Name.UNCLEARED else one.hold_id for one in copies}
    titles, holds, loans = await asyncio.gather(
        _titles(db, copies),
        holds_store.find_some(db, {one for one in for_holds if one}),
        loans_store.find_lost(db, [one.id for one in copies]) if name is Name.LOST else _no_loans(),
    )
    return [
        Row(
            copy.id,
            document[order],
            titles.get(copy.title_id, ""),
            copy=copy,
            loan=loans.get(copy.id),
            hold=holds.get((copy.shelved_for if name is Name.UNCLEARED else copy.hold_id) or ""),
        )
        for copy, document in zip(copies, found, strict=True)
    ]


async def _no_loans() -> dict[str, Loan]:
    return {}


async def _of_holds(db: Database, found: Sequence[Document]) -> list[Row]:
    holds = [from_document(Hold, one) for one in found]
    titles, copies = await asyncio.gather(
        _titles(db, holds),
        store.find_copies(db, "_id", {one.copy_id for one in holds if one.copy_id}),
    )
    return [
        Row(
            hold.id,
            hold.id,
            titles.get(hold.title_id, ""),
            hold=hold,
            copy=copies.get(hold.copy_id or ""),
        )
        for hold in holds
    ]


async def _of_loans(db: Database, found: Sequence[Document], order: str) -> list[Row]:
    loans = [from_document(Loan, one) for one in found]
    titles, copies = await asyncio.gather(
        _titles(db, loans),
        store.find_copies(db, "_id", {one.copy_id for one in loans}),
    )
    return [
        Row(
            loan.id,
            document[order],
            titles.get(loan.title_id, ""),
            loan=loan,
            copy=copies.get(loan.copy_id),
        )
        for loan, document in zip(loans, found, strict=True)
    ]


async def _of_conflicts(db: Database, found: Sequence[Document]) -> list[Row]:
    conflicts = [from_document(Conflict, one) for one in found]
    copies = await store.find_copies(db, "barcode", {one.barcode for one in conflicts})
    titles = await _titles(db, copies.values())
    rows = []
    for conflict in conflicts:
        copy = copies.get(conflict.barcode)
        title = titles.get(copy.title_id, "") if copy else ""
        rows.append(Row(conflict.id, conflict.id, title, copy=copy, conflict=conflict))
    return rows


async def _titles(db: Database, of: Collection[Copy | Hold | Loan]) -> dict[str, str]:
    return await catalogue_store.find_names(db, {one.title_id for one in of})
