"""Collection of loans."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.rules.fines import Statement
from services.circulation.rules.loan import Loan, LoanState
from shared import reading
from shared.clock import wall_clock
from shared.declared_indexes import Indexes, sharded_by
from shared.ids import first_id_at
from shared.mongo import (
    Database,
    leave_out_defaults,
    plain,
    store_fields_as,
)
from shared.personal_data import Personal
from shared.repository import Repository
from shared.unit_of_work import Work

store_fields_as(Loan, due_set_at_version="set_under")  # the name in the first documents

leave_out_defaults(Loan, ("due_time", "ended_holds", "lent_at", "lent_through", "returned_at"))

OPEN = {"state": LoanState.OPEN.value}
RETURNED = {"state": LoanState.RETURNED.value}
LOST = {"state": LoanState.LOST.value}
CLAIMED = {"claimed_returned_on": {"$gt": ""}}
RENEWING = {"policy.renews_automatically": True}

OF_PATRON = "open_of_patron"  # this and the next are names of indexes, for hints
BY_DUE_DATE = "open_of_branch_by_due_date"
CLAIMS = "claimed_of_branch"
TO_NOTICE = "open_to_notice"
TO_REMIND = "open_to_remind"
TO_LOSE = "open_to_lose"
TO_RENEW = "open_to_renew"
OVER = "returned"

INDEXES: Indexes = {
    "loans": sharded_by(
        "copy_id",
        [
            # Guarantees that a copy has at most one open loan.
            IndexModel([("copy_id", ASCENDING)], unique=True, partialFilterExpression=OPEN),
            IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
            # A patron's open loans, and the patrons with open loans of some branches, in order.
            IndexModel(
                [("patron_id", ASCENDING), ("branch_code", ASCENDING), ("branch_kind", ASCENDING)],
                name=OF_PATRON,
                partialFilterExpression=OPEN,
            ),
            IndexModel([("copy_id", ASCENDING)], name="lost_by_copy", partialFilterExpression=LOST),
            # The last return of a copy, which can be undone.
            IndexModel(
                [("copy_id", ASCENDING), ("returned_at", ASCENDING)],
                name="returned_of_copy",
                partialFilterExpression=RETURNED,
            ),
            # Loans that an announcement moves, in the order in which a sweep reads them.
            IndexModel(
                [("branch_code", ASCENDING), ("due_on", ASCENDING), ("_id", ASCENDING)],
                name=BY_DUE_DATE,
                partialFilterExpression=OPEN,
            ),
            # Loans whose patrons say that they returned the copy.
            IndexModel(
                [
                    ("branch_code", ASCENDING),
                    ("claimed_returned_on", ASCENDING),
                    ("_id", ASCENDING),
                    ("due_on", ASCENDING),
                ],
                name=CLAIMS,
                partialFilterExpression={**OPEN, **CLAIMED},
            ),
            # The loans that the overdue job reads.
            IndexModel(
                [
                    ("branch_code", ASCENDING),
                    ("overdue_notices", ASCENDING),
                    ("due_on", ASCENDING),
                ],
                name=TO_NOTICE,
                partialFilterExpression=OPEN,
            ),
            # The loans that the `lost` job reads: overdue for as long as their policy says.
            IndexModel(
                [("policy.lost_after_days", ASCENDING), ("due_on", ASCENDING)],
                name=TO_LOSE,
                partialFilterExpression=OPEN,
            ),
            # Returned loans that may be deleted: few, because the job deletes them.
            IndexModel(
                [("state", ASCENDING), ("_id", ASCENDING)],
                name=OVER,
                partialFilterExpression=RETURNED,
            ),
            # The loans that are renewed automatically; no other loan is in it.
            IndexModel(
                [("due_on", ASCENDING)],
                name=TO_RENEW,
                partialFilterExpression={**OPEN, **RENEWING},
            ),
            # The loans that the due-soon job reads.
            IndexModel(
                [("due_soon_noticed_on", ASCENDING), ("due_on", ASCENDING)],
                name=TO_REMIND,
                partialFilterExpression=OPEN,
            ),
        ],
    ),
}
PERSONAL = (Personal("loans"),)

_LOANS = Repository(Loan, "loans")
get = _LOANS.get
find = _LOANS.find
purge = _LOANS.remove
"""Delete a loan as it was read. Raises Stale if it has changed since."""
find_open = partial(_LOANS.find_page, where=OPEN)


def add(work: Work, loans: Iterable[Loan]) -> None:
    """Insert new loans."""
    work.add("loans", *loans)


def save(work: Work, steps: Iterable[Loan]) -> None:
    """Save loans after each of one or more changes, in order."""
    work.save("loans", *steps)


def correct_fine(work: Work, loan: Loan, statement: Statement) -> None:
    """Replace the fine statement of a loan that has ended.

    The loan's version stays: it counts published changes, and a loan's events do not contain its
    fine.
    """
    work.update("loans", {"_id": loan.id}, {"$set": {"final_fine": plain(statement)}})


def some(work: Work, loan_ids: Collection[str]) -> list[Loan]:
    """Return loans by id."""
    return work.all(Loan, "loans", {"_id": {"$in": sorted(loan_ids)}})


def borrowed_on(work: Work, patron_id: str, copy_ids: Collection[str], day: date) -> list[Loan]:
    """Return a patron's loans of some copies that began on a day, in the order of borrowing."""
    query = {
        "patron_id": patron_id,
        "copy_id": {"$in": sorted(copy_ids)},
        "borrowed_on": day.isoformat(),
    }
    return work.all(Loan, "loans", query, sort=[("_id", 1)])


def lost_of_copies(work: Work, copy_ids: Collection[str]) -> dict[str, Loan]:
    """Return the loans in which some copies were lost, keyed by copy id."""
    found = work.all(Loan, "loans", {"copy_id": {"$in": sorted(copy_ids)}, **LOST})
    return {loan.copy_id: loan for loan in found}


def open_of_copy(work: Work, copy_id: str) -> Loan | None:
    """Return the open loan of a copy; None: it has none."""
    return next(iter(work.all(Loan, "loans", {"copy_id": copy_id, **OPEN})), None)


def last_returned(work: Work, copy_id: str) -> Loan | None:
    """Return the loan that ended with the last return of a copy; None: none is stored."""
    query = {"copy_id": copy_id, **RETURNED}
    return next(iter(work.all(Loan, "loans", query, sort=[("returned_at", -1)], limit=1)), None)


def open_of_patron(work: Work, patron_id: str) -> list[Loan]:
    """Return a patron's open loans, in the order of borrowing."""
    return work.all(Loan, "loans", {"patron_id": patron_id, **OPEN}, sort=[("_id", 1)])


async def returned(db: Database, until: datetime) -> AsyncIterator[str]:
    """Yield the ids of the loans that were returned until a time, or whose time is not known."""
    query = {**RETURNED, "$or": [{"returned_at": None}, {"returned_at": {"$lte": until}}]}
    async for found in db.loans.find(query, {"_id": 1}, hint=OVER).batch_size(200):
        yield found["_id"]


async def count_titles(db: Database, most: int) -> Counter[str]:
    """Return how often each title was borrowed in the latest stored loans, at most `most`."""
    latest = db.loans.find({}, {"_id": 0, "title_id": 1}).sort("_id", -1).limit(most)
    return Counter([loan["title_id"] async for loan in latest])


async def find_of_copy(db: Database, copy_id: str, state: Mapping[str, Any]) -> Loan | None:
    """Return the loan of a copy that is OPEN or LOST, or None."""
    return await reading.first(db, Loan, "loans", {"copy_id": copy_id, **state})


async def find_lost(db: Database, copy_ids: Collection[str]) -> dict[str, Loan]:
    """Return the loans in which some copies were lost, keyed by copy id."""
    query = {"copy_id": {"$in": sorted(copy_ids)}, **LOST}
    return {loan.copy_id: loan for loan in await reading.every(db, Loan, "loans", query)}


async def find_of(
    db: Database,
    patron_id: str,
    *,
    only_open: bool = False,
    only_out: bool = False,
    limit: int,
    after: str | None,
) -> list[Loan]:
    """Return up to `limit` + 1 of a patron's loans, in the order of borrowing.

    With `only_out`, those whose copy has not come back: they are open, or the copy is lost.
    """
    query = {
        "patron_id": patron_id,
        **(OPEN if only_open else {}),
        **({"returned_on": None} if only_out else {}),
    }
    return await reading.page(db, Loan, "loans", query, limit=limit, after=after)


async def find_due_before(db: Database, patron_id: str, day: date) -> list[Loan]:
    """Return a patron's open loans whose stored due date is before `day`."""
    query = {"patron_id": patron_id, "due_on": {"$lt": day.isoformat()}, **OPEN}
    return sorted(await reading.every(db, Loan, "loans", query), key=lambda loan: loan.id)


async def find_lent(db: Database, today: date, days: int, most: int) -> tuple[list[Loan], bool]:
    """Return the loans of the last `days` days that are still stored; True if these are all.

    If there are more than `most`, they are a sample: the first ones recorded on each day.
    """
    since = today - timedelta(days=days)
    newest = await db.loans.find().sort("_id", -1).limit(most + 1).to_list(most + 1)
    complete = len(newest) <= most or newest[-1]["borrowed_on"] < since.isoformat()
    if not complete:
        each = most // days
        starts = [first_id_at(wall_clock() - timedelta(days=n + 1)) for n in range(days)]
        of_days = await asyncio.gather(
            *(
                db.loans.find({"_id": {"$gte": start}}).sort("_id").limit(each).to_list(each)
                for start in starts
            )
        )
        newest = [*{loan["_id"]: loan for of_day in of_days for loan in of_day}.values()]
    lent = await asyncio.to_thread(reading.values, Loan, newest)
    return [loan for loan in lent if since <= loan.borrowed_on <= today], complete


async def to_notice(
    db: Database, due_by: Mapping[tuple[int, date], Collection[str]]
) -> AsyncIterator[str]:
    """Yield the ids of the open loans that are overdue and lack the notice that is due.

    Each key of `due_by` is a number of notices already given and the last due date that makes the
    next one due; its value holds the codes of the branches to which this applies.
    """
    for (notices, due_on), branch_codes in due_by.items():
        query = {
            "branch_code": {"$in": sorted(branch_codes)},
            "overdue_notices": notices,
            "due_on": {"$lte": due_on.isoformat()},
            **OPEN,
        }
        async for found in db.loans.find(query, {"_id": 1}, hint=TO_NOTICE).batch_size(200):
            yield found["_id"]


async def to_remind(db: Database, first: date, last: date) -> AsyncIterator[str]:
    """Yield the ids of the open loans due from `first` to `last` without a due-soon notice."""
    query = {
        "due_soon_noticed_on": None,
        "due_on": {"$gte": first.isoformat(), "$lte": last.isoformat()},
        **OPEN,
    }
    async for found in db.loans.find(query, {"_id": 1}, hint=TO_REMIND).batch_size(200):
        yield found["_id"]


async def to_renew(db: Database, day: date) -> AsyncIterator[str]:
    """Yield the ids of the open loans due by `day` whose policy renews them automatically."""
    query = {"due_on": {"$lte": day.isoformat()}, **OPEN, **RENEWING}
    async for found in db.loans.find(query, {"_id": 1}, hint=TO_RENEW).batch_size(200):
        yield found["_id"]


async def to_lose(db: Database, day: date) -> AsyncIterator[str]:
    """Yield the ids of the open loans that the rule may declare lost on `day`.

    Runs one query for each distinct `lost_after_days` of the open loans; there are few.
    """
    days = -1
    while found := await db.loans.find_one(
        {"policy.lost_after_days": {"$gt": days}, **OPEN},
        {"policy.lost_after_days": 1},
        sort=[("policy.lost_after_days", ASCENDING)],
        hint=TO_LOSE,
    ):
        days = found["policy"]["lost_after_days"]
        query = long_overdue_after(days, day)
        async for loan in db.loans.find(query, {"_id": 1}, hint=TO_LOSE).batch_size(200):
            yield loan["_id"]


def long_overdue_after(days: int, day: date) -> dict[str, Any]:
    """Build the query for open loans that may be lost on `day` under a limit of `days` days."""
    latest = day - timedelta(days=max(days, 1))
    return {
        "policy.lost_after_days": days,
        "due_on": {"$lte": latest.isoformat()},
        "claimed_returned_on": None,
        **OPEN,
    }
