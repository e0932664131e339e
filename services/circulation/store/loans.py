"""Loans, and the queries by which jobs and sweeps find the loans to process."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.branch_calendar import Movable
from services.circulation.domain.effect import Alike
from services.circulation.domain.fines import Statement
from services.circulation.domain.loan import Loan, LoanState
from services.circulation.domain.suspension import FineSuspension
from services.circulation.domain.sweep import Position, Stage, Sweep
from services.circulation.store import reading
from shared.mongo import (
    Database,
    Indexes,
    SnapshotQuery,
    from_document,
    plain,
    read_snapshot_page,
    sharded_by,
    store_fields_as,
)
from shared.unit_of_work import Stale, Work

# Documents keep the name that this field had when the first of them were stored.
store_fields_as(Loan, due_set_at_version="set_under")

OPEN = {"state": LoanState.OPEN.value}
RETURNED = {"state": LoanState.RETURNED.value}
LOST = {"state": LoanState.LOST.value}

# Names of indexes that queries give as a hint.
OF_PATRON = "open_of_patron"
BY_DUE_DATE = "open_of_branch_by_due_date"
TO_NOTICE = "open_to_notice"
TO_REMIND = "open_to_remind"
TO_LOSE = "open_to_lose"
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
            # Loans that an announcement moves, in the order in which a sweep reads them.
            IndexModel(
                [("branch_code", ASCENDING), ("due_on", ASCENDING), ("_id", ASCENDING)],
                name=BY_DUE_DATE,
                partialFilterExpression=OPEN,
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
            # The loans that the due-soon job reads.
            IndexModel(
                [("due_soon_noticed_on", ASCENDING), ("due_on", ASCENDING)],
                name=TO_REMIND,
                partialFilterExpression=OPEN,
            ),
        ],
    ),
}


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


def get(work: Work, loan_id: str) -> Loan | None:
    """Return a loan by its id, or None."""
    return work.find(Loan, "loans", {"_id": loan_id})


def some(work: Work, loan_ids: Collection[str]) -> list[Loan]:
    """Return loans by id."""
    return work.all(Loan, "loans", {"_id": {"$in": sorted(loan_ids)}})


def open_of_copies(work: Work, copy_ids: Collection[str]) -> dict[str, Loan]:
    """Return the open loans of some copies, keyed by copy id."""
    found = work.all(Loan, "loans", {"copy_id": {"$in": sorted(copy_ids)}, **OPEN})
    return {loan.copy_id: loan for loan in found}


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


def open_of_patron(work: Work, patron_id: str) -> list[Loan]:
    """Return a patron's open loans, in the order of borrowing."""
    return work.all(Loan, "loans", {"patron_id": patron_id, **OPEN}, sort=[("_id", 1)])


def purge(work: Work, loan: Loan) -> None:
    """Delete a loan as it was read. Raises Stale if it has changed since."""
    if not work.delete("loans", {"_id": loan.id, "version": loan.version}):
        raise Stale(f"loan {loan.id} is no longer at its version")


async def returned(db: Database) -> AsyncIterator[str]:
    """Yield the ids of the returned loans."""
    async for found in db.loans.find(RETURNED, {"_id": 1}, hint=OVER).batch_size(200):
        yield found["_id"]


async def find(db: Database, loan_id: str) -> Loan | None:
    """Return a loan by its id, or None."""
    found = await reading.every(db, Loan, "loans", {"_id": loan_id})
    return found[0] if found else None


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


async def titles_of(db: Database, loan_ids: Collection[str]) -> dict[str, str]:
    """Return the title ids of some loans, keyed by loan id; deleted loans are left out."""
    found = db.loans.find({"_id": {"$in": sorted(loan_ids)}}, {"title_id": 1})
    return {loan["_id"]: loan["title_id"] async for loan in found}


async def find_open(db: Database, query: SnapshotQuery) -> tuple[list[Loan], str | None]:
    """Return a page of the open loans and the id at which the next page begins."""
    return await read_snapshot_page(db.loans, Loan, query, OPEN)


async def find_due_before(db: Database, patron_id: str, day: date) -> list[Loan]:
    """Return a patron's open loans whose stored due date is before `day`."""
    query = {"patron_id": patron_id, "due_on": {"$lt": day.isoformat()}, **OPEN}
    return sorted(await reading.every(db, Loan, "loans", query), key=lambda loan: loan.id)


async def find_borrowing_patrons(
    db: Database,
    suspension: FineSuspension,
    limit: int,
    after: str | None,
    concerned: Callable[[str, str], bool],
) -> dict[str, set[str]]:
    """Return patrons with open loans of branches in the suspension's scope, with the branch codes.

    The result is keyed by patron id. `concerned` takes the code and kind of a branch in scope and
    returns True if its loans count. If there are `limit` patrons, the codes of the last one may be
    incomplete.
    """
    query: dict[str, Any] = {**OPEN}
    if suspension.branches or suspension.kinds:
        query["$or"] = [
            {"branch_code": {"$in": sorted(suspension.branches)}},
            {"branch_kind": {"$in": sorted(suspension.kinds)}},
        ]
    if after is not None:
        query["patron_id"] = {"$gt": after}
    # Reads in the order of the index, so that it can stop once the page is full.
    fields = {"_id": 0, "patron_id": 1, "branch_code": 1, "branch_kind": 1}
    cursor = db.loans.find(query, fields).sort("patron_id").hint(OF_PATRON)
    patrons: dict[str, set[str]] = {}
    async for found in cursor:
        if concerned(found["branch_code"], found["branch_kind"]):
            patrons.setdefault(found["patron_id"], set()).add(found["branch_code"])
            if len(patrons) == limit:
                break
    return patrons


@dataclass(frozen=True, slots=True)
class _Due:
    id: str
    due_on: date


def next_to_move(
    work: Work, sweep: Sweep, spans: Sequence[Movable], *, limit: int
) -> tuple[Position, ...]:
    """Return at most `limit` loans after a sweep's place that announcements may move."""
    places: list[Position] = []
    here = sweep.place if sweep.place and sweep.place.stage is Stage.LOANS else None
    for number, span in enumerate(spans):
        ranges: list[dict[str, Any]] = [{"due_on": _days(span)}]
        if here is not None and here.due_on is not None:
            if number < here.span:
                continue
            if number == here.span:
                due_on = here.due_on.isoformat()
                ranges = [
                    {"due_on": due_on, "_id": {"$gt": here.id}},
                    {"due_on": {**_days(span), "$gt": due_on}},
                ]
        for days in ranges:
            if len(places) < limit:
                found = work.all(
                    _Due,
                    "loans",
                    {**_behind(sweep, span), **days},
                    sort=[("due_on", ASCENDING), ("_id", ASCENDING)],
                    limit=limit - len(places),
                    # Without the hint the index of ids, which covers all loans, could be chosen.
                    hint=BY_DUE_DATE,
                )
                places += [Position(Stage.LOANS, one.id, number, one.due_on) for one in found]
    return tuple(places)


def count_to_move(work: Work, sweep: Sweep, spans: Sequence[Movable]) -> int:
    """Count the loans that announcements may move."""
    return sum(
        [work.count("loans", {**_behind(sweep, span), "due_on": _days(span)}) for span in spans]
    )


def _days(span: Movable) -> dict[str, str]:
    return {"$gte": span.first.isoformat(), "$lte": span.last.isoformat()}


def _behind(sweep: Sweep, span: Movable) -> dict[str, Any]:
    """Build the query for open loans that may not follow a branch's calendar yet."""
    return {
        "branch_code": sweep.id,
        "calendar_version": {"$lt": sweep.calendar_version},
        **({"moves": {"$ne": []}} if span.moved_only else {}),
        **OPEN,
    }


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


async def find_alike(db: Database, branch_codes: Collection[str]) -> list[Alike]:
    """Return the open loans of some branches, grouped by equal due dates and fines.

    A hundred thousand loans form some thousands of groups: one for each combination of day,
    calendar and policy row. A group can hold about 300,000 loans, because its ids are in one
    document.
    """
    same = (
        *("branch_code", "due_on", "set_under", "calendar_version", "moves"),
        *("policy", "claimed_returned_on"),
    )
    groups = await db.loans.aggregate(
        [
            {"$match": {"branch_code": {"$in": sorted(branch_codes)}, **OPEN}},
            {
                "$group": {
                    "_id": {name: f"${name}" for name in same},
                    "loan": {"$first": "$$ROOT"},
                    "ids": {"$push": "$_id"},
                }
            },
        ],
        hint=BY_DUE_DATE,
        allowDiskUse=True,
    ).to_list(None)
    return [Alike(from_document(Loan, group["loan"]), tuple(group["ids"])) for group in groups]


async def find_borrowers(db: Database, branch_codes: Collection[str]) -> int:
    """Count the patrons with an open loan of some branches."""
    query = {"branch_code": {"$in": sorted(branch_codes)}, **OPEN}
    found = await db.loans.aggregate(
        [{"$match": query}, {"$group": {"_id": "$patron_id"}}, {"$count": "patrons"}],
        hint=OF_PATRON,
        allowDiskUse=True,
    ).to_list(None)
    return int(found[0]["patrons"]) if found else 0


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
