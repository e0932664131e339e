"""Collections and indexes of circulation."""

import re
from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from datetime import date
from typing import Any, TypeVar

from pymongo import ASCENDING, IndexModel

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge
from services.circulation.domain.loan import Loan, LoanState
from services.circulation.domain.patron import Borrower, Patron
from services.circulation.domain.policy import HONG_KONG, Policy, PolicyMatrix
from services.circulation.domain.suspension import FineSuspension
from services.circulation.domain.title import Copy, Title, search_terms, sought
from shared.mongo import Database, Indexes, from_document, plain
from shared.unit_of_work import Work

V = TypeVar("V")
OPEN = {"state": LoanState.OPEN.value}

INDEXES: Indexes = {
    "titles": [IndexModel([("terms", ASCENDING)])],
    "copies": [
        IndexModel([("barcode", ASCENDING)], unique=True),
        IndexModel([("title_id", ASCENDING)]),
    ],
    "policies": [],
    "patrons": [IndexModel([("card_digest", ASCENDING)])],  # not unique: see `holder_of_card`
    "borrowers": [],
    "calendars": [],
    "loans": [
        # One copy has at most one open loan, whatever else goes wrong.
        IndexModel([("copy_id", ASCENDING)], unique=True, partialFilterExpression=OPEN),
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
        # Open loans of a patron, and the patrons with open loans of some branches, in order.
        IndexModel(
            [("patron_id", ASCENDING), ("branch_code", ASCENDING), ("branch_kind", ASCENDING)],
            name="open_of_patron",
            partialFilterExpression=OPEN,
        ),
        # What an announcement moves.
        IndexModel(
            [("branch_code", ASCENDING), ("due_on", ASCENDING)],
            name="open_by_due_date",
            partialFilterExpression=OPEN,
        ),
        # What the overdue job has to notice, and nothing else.
        IndexModel(
            [
                ("branch_code", ASCENDING),
                ("overdue_noticed_on", ASCENDING),
                ("due_on", ASCENDING),
            ],
            name="open_to_notice",
            partialFilterExpression=OPEN,
        ),
    ],
    "charges": [
        IndexModel([("patron_id", ASCENDING), ("_id", ASCENDING)]),
    ],
    "suspensions": [
        IndexModel([("resumption_noticed_on", ASCENDING), ("resumes_on", ASCENDING)]),
    ],
}


# ---- titles and copies --------------------------------------------------------------------------


async def add_title(work: Work, title: Title, copies: Iterable[Copy]) -> None:
    """A new title with its copies. A barcode that is taken runs the transaction again."""
    await work.add("titles", {**plain(title), "terms": search_terms(title)})
    await work.add("copies", *copies)


async def copies_with(work: Work, barcodes: Sequence[str]) -> dict[str, Copy]:
    """The copies with these barcodes, by barcode."""
    found = await work.all(Copy, "copies", {"barcode": {"$in": list(barcodes)}})
    return {copy.barcode: copy for copy in found}


async def save_copies(work: Work, copies: Iterable[Copy]) -> None:
    """Copies after a change."""
    await work.save("copies", *copies)


async def search_titles(db: Database, text: str, limit: int, after: str | None) -> list[Title]:
    """The titles that every word of `text` begins a term of, in the order of cataloguing."""
    query: dict[str, Any] = {}
    if words := sought(text):
        query["$and"] = [{"terms": {"$regex": f"^{re.escape(word)}"}} for word in words]
    return await _page(db, Title, "titles", query, limit=limit, after=after)


async def find_title(db: Database, title_id: str) -> tuple[Title, list[Copy]] | None:
    """A title with its copies."""
    document = await db.titles.find_one({"_id": title_id})
    if document is None:
        return None
    copies = await _all(db, Copy, "copies", {"title_id": title_id})
    return from_document(Title, document), sorted(copies, key=lambda copy: copy.barcode)


# ---- policies -----------------------------------------------------------------------------------


async def policies(work: Work) -> PolicyMatrix:
    """The policy rows in force. The first to ask stores the default ones."""
    rows = await work.all(Policy, "policies", {})
    if rows:
        return PolicyMatrix(rows)
    for row in HONG_KONG.rows:
        await work.add("policies", row)
    return HONG_KONG


async def find_policies(db: Database) -> list[Policy]:
    """The policy rows in force."""
    rows = await _all(db, Policy, "policies", {})
    return sorted(rows or HONG_KONG.rows, key=lambda row: row.id)


# ---- patrons ------------------------------------------------------------------------------------


async def note_patron(work: Work, patron: Patron) -> None:
    """Keep what accounts says of a patron, unless something newer is known."""
    await work.save_if_newer("patrons", patron)


async def patron(work: Work, patron_id: str) -> Patron | None:
    """What accounts has said of a patron."""
    return await work.find(Patron, "patrons", {"_id": patron_id})


async def holder_of_card(work: Work, card_digest: str) -> Patron | None:
    """Whose card this is, if it is one patron's, as far as circulation has heard.

    Two have it for a moment, where a card went from one to the other and one event is under way.
    """
    found = await work.all(Patron, "patrons", {"card_digest": card_digest}, limit=2)
    return found[0] if len(found) == 1 else None


async def borrower(work: Work, patron_id: str) -> Borrower:
    """What is counted of a patron."""
    return (await borrowers(work, [patron_id]))[patron_id]


async def borrowers(work: Work, patron_ids: Collection[str]) -> dict[str, Borrower]:
    """What is counted of some patrons, by patron."""
    known = await work.all(Borrower, "borrowers", {"_id": {"$in": sorted(patron_ids)}})
    return {one: Borrower(one) for one in patron_ids} | {one.id: one for one in known}


async def save_borrower(work: Work, borrower: Borrower) -> None:
    """The counts after a change. Of two changes at once one is run again."""
    if borrower.version == 1:
        await work.add("borrowers", borrower)
    else:
        await work.save("borrowers", borrower)


# ---- calendars and suspensions ------------------------------------------------------------------


async def note_calendar(work: Work, calendar: BranchCalendar) -> None:
    """Keep a branch's calendar, unless a newer one is known."""
    await work.save_if_newer("calendars", calendar)


async def calendar(work: Work, branch_code: str) -> BranchCalendar | None:
    """The calendar of a branch; None if circulation has not heard of it."""
    return await work.find(BranchCalendar, "calendars", {"_id": branch_code})


async def calendars(work: Work, branch_codes: Collection[str]) -> dict[str, BranchCalendar]:
    """The calendars of some branches, by code."""
    found = await work.all(BranchCalendar, "calendars", {"_id": {"$in": sorted(branch_codes)}})
    return {calendar.id: calendar for calendar in found}


async def find_calendars(
    db: Database, branch_codes: Collection[str] | None = None
) -> dict[str, BranchCalendar]:
    """As `calendars`, outside any transaction; of every branch if none is named."""
    query = {} if branch_codes is None else {"_id": {"$in": sorted(branch_codes)}}
    found = await _all(db, BranchCalendar, "calendars", query)
    return {calendar.id: calendar for calendar in found}


async def suspensions(work: Work) -> list[FineSuspension]:
    """Every fine suspension. They are few: a library has some in a decade."""
    return await work.all(FineSuspension, "suspensions", {})


async def suspension(work: Work, suspension_id: str) -> FineSuspension | None:
    """One fine suspension."""
    return await work.find(FineSuspension, "suspensions", {"_id": suspension_id})


async def save_suspension(work: Work, suspension: FineSuspension) -> None:
    """A new fine suspension, or one after a change."""
    if suspension.version == 1:
        await work.add("suspensions", suspension)
    else:
        await work.save("suspensions", suspension)


async def find_suspensions(db: Database) -> list[FineSuspension]:
    """Every fine suspension, in the order of recording."""
    found = await _all(db, FineSuspension, "suspensions", {})
    return sorted(found, key=lambda one: one.id)


async def find_suspension(db: Database, suspension_id: str) -> FineSuspension | None:
    """One fine suspension."""
    found = await _all(db, FineSuspension, "suspensions", {"_id": suspension_id})
    return found[0] if found else None


async def suspensions_to_resume(db: Database, day: date) -> list[str]:
    """Ids of the suspensions whose end has come by `day` and has not been noticed."""
    query = {"resumption_noticed_on": None, "resumes_on": {"$lte": day.isoformat()}}
    return [found["_id"] async for found in db.suspensions.find(query, {"_id": 1})]


# ---- loans and charges --------------------------------------------------------------------------


async def add_loans(work: Work, loans: Iterable[Loan]) -> None:
    """New loans."""
    await work.add("loans", *loans)


async def save_loans(work: Work, steps: Iterable[Loan]) -> None:
    """Loans after each of one or more changes, in their order."""
    await work.save("loans", *steps)


async def loan(work: Work, loan_id: str) -> Loan | None:
    """One loan."""
    return await work.find(Loan, "loans", {"_id": loan_id})


async def loans(work: Work, loan_ids: Collection[str]) -> list[Loan]:
    """Some loans."""
    return await work.all(Loan, "loans", {"_id": {"$in": sorted(loan_ids)}})


async def open_loans_of_copies(work: Work, copy_ids: Collection[str]) -> dict[str, Loan]:
    """The open loans of some copies, by copy."""
    found = await work.all(Loan, "loans", {"copy_id": {"$in": sorted(copy_ids)}, **OPEN})
    return {loan.copy_id: loan for loan in found}


async def open_loans_of_patron(work: Work, patron_id: str) -> list[Loan]:
    """A patron's open loans, in the order of borrowing."""
    return await work.all(Loan, "loans", {"patron_id": patron_id, **OPEN}, sort=[("_id", 1)])


async def find_loan(db: Database, loan_id: str) -> Loan | None:
    """One loan."""
    found = await _all(db, Loan, "loans", {"_id": loan_id})
    return found[0] if found else None


async def find_loans_of(
    db: Database, patron_id: str, *, only_open: bool, limit: int, after: str | None
) -> list[Loan]:
    """A patron's loans, in the order of borrowing."""
    query = {"patron_id": patron_id, **(OPEN if only_open else {})}
    return await _page(db, Loan, "loans", query, limit=limit, after=after)


async def find_loans_due_before(db: Database, patron_id: str, day: date) -> list[Loan]:
    """A patron's open loans whose stored due date is before `day`."""
    query = {"patron_id": patron_id, "due_on": {"$lt": day.isoformat()}, **OPEN}
    return sorted(await _all(db, Loan, "loans", query), key=lambda loan: loan.id)


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
    cursor = (
        db.loans.find(query, {"_id": 0, "patron_id": 1}).sort("patron_id").hint("open_of_patron")
    )
    patrons: dict[str, None] = {}
    async for found in cursor:
        patrons[found["patron_id"]] = None
        if len(patrons) == limit:
            break
    return list(patrons)


async def loans_to_move(db: Database, calendar: BranchCalendar) -> AsyncIterator[str]:
    """Ids of loans that announcements may move, among them all that they do move."""
    query = {
        "branch_code": calendar.id,
        "calendar_version": {"$lt": calendar.version},
        "$or": [
            {"due_on": {"$gte": first.isoformat(), "$lte": last.isoformat()}}
            for first, last in calendar.movable()
        ],
        **OPEN,
    }
    if not query["$or"]:
        return
    async for found in db.loans.find(query, {"_id": 1}, hint="open_by_due_date").batch_size(200):
        yield found["_id"]


async def loans_to_notice(
    db: Database, due_by: Mapping[date, Collection[str]]
) -> AsyncIterator[str]:
    """Ids of the open loans that are overdue and not noticed yet.

    `due_by` gives, for the last due date that makes a loan overdue, the branches it holds for.
    """
    for due_on, branch_codes in due_by.items():
        query = {
            "branch_code": {"$in": sorted(branch_codes)},
            "overdue_noticed_on": None,
            "due_on": {"$lte": due_on.isoformat()},
            **OPEN,
        }
        async for found in db.loans.find(query, {"_id": 1}, hint="open_to_notice").batch_size(200):
            yield found["_id"]


async def add_charges(work: Work, charges: Iterable[Charge]) -> None:
    """New charges."""
    await work.add("charges", *charges)


async def find_charge(db: Database, charge_id: str) -> Charge | None:
    """One charge."""
    found = await _all(db, Charge, "charges", {"_id": charge_id})
    return found[0] if found else None


async def find_charges_of(
    db: Database, patron_id: str, limit: int, after: str | None
) -> list[Charge]:
    """A patron's charges, in the order of assessment."""
    return await _page(db, Charge, "charges", {"patron_id": patron_id}, limit=limit, after=after)


# ---- reading, outside any transaction -----------------------------------------------------------


async def _all(
    db: Database, kind: type[V], collection: str, query: Mapping[str, Any], *, limit: int = 0
) -> list[V]:
    cursor = db[collection].find(query, limit=limit)
    return [from_document(kind, document) async for document in cursor]


async def _page(
    db: Database,
    kind: type[V],
    collection: str,
    query: Mapping[str, Any],
    *,
    limit: int,
    after: str | None,
) -> list[V]:
    """One more than `limit`, in the order of their ids, after the one that a page ended with."""
    found = {**query, **({} if after is None else {"_id": {"$gt": after}})}
    cursor = db[collection].find(found).sort("_id").limit(limit + 1)
    return [from_document(kind, document) async for document in cursor]
