"""Sweeps and reworks, and the reads by which they and previews find loans and holds."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pymongo import ASCENDING, IndexModel

from services.circulation.holds.store import READY, WAITING
from services.circulation.loans.store.loans import BY_DUE_DATE, OF_PATRON, OPEN
from services.circulation.rules.branch_calendar import Movable
from services.circulation.rules.effect import Alike
from services.circulation.rules.hold import Hold
from services.circulation.rules.loan import Loan
from services.circulation.rules.suspension import FineSuspension
from services.circulation.rules.sweep import Position, Rework, Stage, Sweep, SweepState
from shared import reading
from shared.declared_indexes import Indexes
from shared.mongo import Database, from_document
from shared.repository import Repository
from shared.unit_of_work import Work

INDEXES: Indexes = {
    "sweeps": [IndexModel([("state", ASCENDING)])],
    "reworks": [],
}

_SWEEPS = Repository(Sweep, "sweeps")
get_sweep = _SWEEPS.get
"""Return the last sweep of a branch; None if there was none yet."""
save_sweep = _SWEEPS.put


async def find_sweeps(db: Database) -> list[Sweep]:
    """Return the last sweep of every branch, in the order of branch codes."""
    return sorted(await reading.every(db, Sweep, "sweeps", {}), key=lambda sweep: sweep.id)


async def find_waiting(db: Database, at: datetime, *, all_settling: bool) -> list[str]:
    """Return the branches with sweep work at an instant of the wall clock, in order.

    With `all_settling`, includes sweeps whose second pass is not due yet.
    """
    settling = {} if all_settling else {"settled_after": {"$lte": at}}
    query = {
        "$or": [
            {"state": SweepState.MOVING.value},
            {"state": SweepState.SETTLING.value, **settling},
        ]
    }
    return sorted([found["_id"] async for found in db.sweeps.find(query, {"_id": 1})])


IN_HAND_MS = 15_000
"""Age of a change, in milliseconds, at which every transaction begun before it has ended."""


def want_rework(work: Work, rework_id: str, version: int) -> None:
    """Note that fines are to be recalculated for this version of a calendar or suspension."""
    work.update(
        "reworks",
        {"_id": rework_id},
        {
            "$max": {"version": version},
            "$setOnInsert": {"done": 0, "settled": 0},
            "$currentDate": {"wanted_at": True},
        },
        upsert=True,
    )


def finish_rework(work: Work, rework: Rework) -> None:
    """Note that a pass for the version at which `rework` was read is done."""
    passed = "settled" if rework.done == rework.version else "done"
    work.update("reworks", {"_id": rework.id}, {"$max": {passed: rework.version}})


async def find_wanted_reworks(db: Database) -> list[Rework]:
    """Return the recalculations that need their first or second pass.

    There are at most as many as branches and suspensions together. The second pass is needed
    because a return under way during the change may assess its fine by the former data and commit
    after the first pass.
    """
    return await reading.every(
        db,
        Rework,
        "reworks",
        {
            "$or": [
                {"$expr": {"$lt": ["$done", "$version"]}},
                {
                    "$expr": {
                        "$and": [
                            {"$lt": ["$settled", "$version"]},
                            {"$lt": ["$wanted_at", {"$subtract": ["$$NOW", IN_HAND_MS]}]},
                        ]
                    }
                },
            ]
        },
    )


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


@dataclass(frozen=True, slots=True)
class _Held:
    id: str


def next_to_follow(work: Work, sweep: Sweep, stage: Stage, *, limit: int) -> tuple[Position, ...]:
    """Return at most `limit` holds of a stage after the place of a sweep."""
    query = _of_stage(sweep, stage)
    if sweep.place and sweep.place.stage is stage:
        query["_id"] = {"$gt": sweep.place.id}
    found = work.all(_Held, "holds", query, sort=[("_id", ASCENDING)], limit=limit)
    return tuple(Position(stage, one.id) for one in found)


def count_to_follow(work: Work, sweep: Sweep, stage: Stage) -> int:
    """Count the holds that a stage of a sweep visits."""
    return work.count("holds", _of_stage(sweep, stage))


def _of_stage(sweep: Sweep, stage: Stage) -> dict[str, Any]:
    return {"pickup_branch": sweep.id, **(WAITING if stage is Stage.QUEUES else READY)}


async def queues_of(db: Database, hold_ids: Collection[str]) -> set[str]:
    """Return the ids of the queues of some holds."""
    found = await reading.every(db, Hold, "holds", {"_id": {"$in": sorted(hold_ids)}})
    return {hold.target.queue_id for hold in found}
