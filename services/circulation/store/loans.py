"""Loans, and which of them the jobs and sweeps have to look at."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.branch_calendar import Movable
from services.circulation.domain.effect import Alike
from services.circulation.domain.fines import Statement
from services.circulation.domain.loan import Loan, LoanState
from services.circulation.domain.suspension import FineSuspension
from services.circulation.domain.sweep import Place, Stage, Sweep
from services.circulation.store import reading
from shared.mongo import Database, Indexes, Part, from_document, plain, read_part
from shared.unit_of_work import Stale, Work

OPEN = {"state": LoanState.OPEN.value}
RETURNED = {"state": LoanState.RETURNED.value}
LOST = {"state": LoanState.LOST.value}

# Indexes that a query names as its hint.
OF_PATRON = "open_of_patron"
BY_DUE_DATE = "open_of_branch_by_due_date"
TO_NOTICE = "open_to_notice"
TO_REMIND = "open_to_remind"
TO_LOSE = "open_to_lose"
OVER = "returned"

INDEXES: Indexes = {
    "loans": [
        # One copy has at most one open loan, whatever else goes wrong.
        IndexModel([("copy_id", ASCENDING)], unique=True, partialFilterExpression=OPEN),
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
        # Open loans of a patron, and the patrons with open loans of some branches, in order.
        IndexModel(
            [("patron_id", ASCENDING), ("branch_code", ASCENDING), ("branch_kind", ASCENDING)],
            name=OF_PATRON,
            partialFilterExpression=OPEN,
        ),
        IndexModel([("copy_id", ASCENDING)], name="lost_by_copy", partialFilterExpression=LOST),
        # What an announcement moves, in an order in which a sweep knows its place.
        IndexModel(
            [("branch_code", ASCENDING), ("due_on", ASCENDING), ("_id", ASCENDING)],
            name=BY_DUE_DATE,
            partialFilterExpression=OPEN,
        ),
        # What the overdue job has to notice, and nothing else.
        IndexModel(
            [
                ("branch_code", ASCENDING),
                ("overdue_notices", ASCENDING),
                ("due_on", ASCENDING),
            ],
            name=TO_NOTICE,
            partialFilterExpression=OPEN,
        ),
        # What the job of the lost looks at: overdue for as long as its policy says.
        IndexModel(
            [("policy.lost_after_days", ASCENDING), ("due_on", ASCENDING)],
            name=TO_LOSE,
            partialFilterExpression=OPEN,
        ),
        # What may be forgotten: little, for what was forgotten is gone.
        IndexModel(
            [("state", ASCENDING), ("_id", ASCENDING)],
            name=OVER,
            partialFilterExpression=RETURNED,
        ),
        # What the due-soon job has to notice, and nothing else.
        IndexModel(
            [("due_soon_noticed_on", ASCENDING), ("due_on", ASCENDING)],
            name=TO_REMIND,
            partialFilterExpression=OPEN,
        ),
    ],
}


async def add(work: Work, loans: Iterable[Loan]) -> None:
    """New loans."""
    await work.add("loans", *loans)


async def save(work: Work, steps: Iterable[Loan]) -> None:
    """Loans after each of one or more changes, in their order."""
    await work.save("loans", *steps)


async def correct_fine(work: Work, loan: Loan, statement: Statement) -> None:
    """Another statement of the fine of a loan that has ended.

    Its version stays: it counts what is published, and a loan's events say nothing of its fine.
    """
    await work.update("loans", {"_id": loan.id}, {"$set": {"final_fine": plain(statement)}})


async def get(work: Work, loan_id: str) -> Loan | None:
    """One loan."""
    return await work.find(Loan, "loans", {"_id": loan_id})


async def some(work: Work, loan_ids: Collection[str]) -> list[Loan]:
    """Some loans."""
    return await work.all(Loan, "loans", {"_id": {"$in": sorted(loan_ids)}})


async def open_of_copies(work: Work, copy_ids: Collection[str]) -> dict[str, Loan]:
    """The open loans of some copies, by copy."""
    found = await work.all(Loan, "loans", {"copy_id": {"$in": sorted(copy_ids)}, **OPEN})
    return {loan.copy_id: loan for loan in found}


async def lost_of_copies(work: Work, copy_ids: Collection[str]) -> dict[str, Loan]:
    """The loans in which some copies were lost, by copy."""
    found = await work.all(Loan, "loans", {"copy_id": {"$in": sorted(copy_ids)}, **LOST})
    return {loan.copy_id: loan for loan in found}


async def open_of_patron(work: Work, patron_id: str) -> list[Loan]:
    """A patron's open loans, in the order of borrowing."""
    return await work.all(Loan, "loans", {"patron_id": patron_id, **OPEN}, sort=[("_id", 1)])


async def forget(work: Work, loan: Loan) -> None:
    """Delete a loan as it was read; raises Stale if it has changed since."""
    if not await work.delete("loans", {"_id": loan.id, "version": loan.version}):
        raise Stale(f"loan {loan.id} is no longer at its version")


async def returned(db: Database) -> AsyncIterator[str]:
    """Ids of the loans that have come back, in the order of borrowing."""
    async for found in db.loans.find(RETURNED, {"_id": 1}, hint=OVER).batch_size(200):
        yield found["_id"]


async def find(db: Database, loan_id: str) -> Loan | None:
    """One loan."""
    found = await reading.every(db, Loan, "loans", {"_id": loan_id})
    return found[0] if found else None


async def find_of(
    db: Database, patron_id: str, *, only_open: bool, limit: int, after: str | None
) -> list[Loan]:
    """A patron's loans, in the order of borrowing."""
    query = {"patron_id": patron_id, **(OPEN if only_open else {})}
    return await reading.page(db, Loan, "loans", query, limit=limit, after=after)


async def find_open(db: Database, part: Part) -> tuple[list[Loan], str | None]:
    """The open ones of a part of the loans and where to go on."""
    return await read_part(db.loans, Loan, part, OPEN)


async def find_due_before(db: Database, patron_id: str, day: date) -> list[Loan]:
    """A patron's open loans whose stored due date is before `day`."""
    query = {"patron_id": patron_id, "due_on": {"$lt": day.isoformat()}, **OPEN}
    return sorted(await reading.every(db, Loan, "loans", query), key=lambda loan: loan.id)


async def find_borrowing_patrons(
    db: Database, suspension: FineSuspension, limit: int, after: str | None
) -> list[str]:
    """Patrons with an open loan of a branch in the suspension's scope, each once, by id."""
    query: dict[str, Any] = {**OPEN}
    if suspension.branches or suspension.kinds:
        query["$or"] = [
            {"branch_code": {"$in": sorted(suspension.branches)}},
            {"branch_kind": {"$in": sorted(suspension.kinds)}},
        ]
    if after is not None:
        query["patron_id"] = {"$gt": after}
    # In the order of the index, so that it stops once the page is full.
    cursor = db.loans.find(query, {"_id": 0, "patron_id": 1}).sort("patron_id").hint(OF_PATRON)
    patrons: dict[str, None] = {}
    async for found in cursor:
        patrons[found["patron_id"]] = None
        if len(patrons) == limit:
            break
    return list(patrons)


@dataclass(frozen=True, slots=True)
class _Due:
    id: str
    due_on: date


async def next_to_move(
    work: Work, sweep: Sweep, spans: Sequence[Movable], *, limit: int
) -> tuple[Place, ...]:
    """The loans after the place of a sweep that announcements may move, at most `limit`."""
    places: list[Place] = []
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
                found = await work.all(
                    _Due,
                    "loans",
                    {**_behind(sweep, span), **days},
                    sort=[("due_on", ASCENDING), ("_id", ASCENDING)],
                    limit=limit - len(places),
                    # Within one due date the index of ids has the same order, and all the loans.
                    hint=BY_DUE_DATE,
                )
                places += [Place(Stage.LOANS, one.id, number, one.due_on) for one in found]
    return tuple(places)


async def count_to_move(work: Work, sweep: Sweep, spans: Sequence[Movable]) -> int:
    """How many loans announcements may move."""
    return sum(
        [
            await work.count("loans", {**_behind(sweep, span), "due_on": _days(span)})
            for span in spans
        ]
    )


def _days(span: Movable) -> dict[str, str]:
    return {"$gte": span.first.isoformat(), "$lte": span.last.isoformat()}


def _behind(sweep: Sweep, span: Movable) -> dict[str, Any]:
    """Open loans that may not follow a branch's calendar yet."""
    return {
        "branch_code": sweep.id,
        "calendar_version": {"$lt": sweep.calendar_version},
        **({"moves": {"$ne": []}} if span.moved_only else {}),
        **OPEN,
    }


async def to_notice(
    db: Database, due_by: Mapping[tuple[int, date], Collection[str]]
) -> AsyncIterator[str]:
    """Ids of the open loans that are overdue and have not had the notice that is due.

    `due_by` gives, for a number of notices had and the last due date that makes another one due,
    the branches it holds for.
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
    """Ids of the open loans due on a day of this span of which nobody has been reminded."""
    query = {
        "due_soon_noticed_on": None,
        "due_on": {"$gte": first.isoformat(), "$lte": last.isoformat()},
        **OPEN,
    }
    async for found in db.loans.find(query, {"_id": 1}, hint=TO_REMIND).batch_size(200):
        yield found["_id"]


async def find_alike(db: Database, branch_codes: Collection[str]) -> list[Alike]:
    """The open loans of some branches, those together whose due dates and fines are alike.

    A hundred thousand loans are some thousands of groups: as many as days, calendars and rows. A
    group may have some 300,000: its ids are one document.
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
    """How many patrons have an open loan of some branches."""
    query = {"branch_code": {"$in": sorted(branch_codes)}, **OPEN}
    found = await db.loans.aggregate(
        [{"$match": query}, {"$group": {"_id": "$patron_id"}}, {"$count": "patrons"}],
        hint=OF_PATRON,
        allowDiskUse=True,
    ).to_list(None)
    return int(found[0]["patrons"]) if found else 0


async def to_lose(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the open loans so long past their due dates that they may be lost by the rule.

    For each number of days that a policy of an open loan gives, of which there are few.
    """
    days = -1
    while found := await db.loans.find_one(
        {"policy.lost_after_days": {"$gt": days}, **OPEN},
        {"policy.lost_after_days": 1},
        sort=[("policy.lost_after_days", ASCENDING)],
        hint=TO_LOSE,
    ):
        days = found["policy"]["lost_after_days"]
        query = given_up_after(days, day)
        async for loan in db.loans.find(query, {"_id": 1}, hint=TO_LOSE).batch_size(200):
            yield loan["_id"]


def given_up_after(days: int, day: date) -> dict[str, Any]:
    """The open loans under policies of so many days that may be lost on `day`."""
    latest = day - timedelta(days=max(days, 1))
    return {
        "policy.lost_after_days": days,
        "due_on": {"$lte": latest.isoformat()},
        "claimed_returned_on": None,
        **OPEN,
    }
