"""Queries that combine several reads, or compute an answer that is not stored, such as a fine.

Routes and jobs read what is stored as it is from `store`.
"""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain import patron as of_patrons
from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.due_date import current
from services.circulation.domain.effect import Concerned, Effect, World, effect
from services.circulation.domain.fines import Statement
from services.circulation.domain.history import PastLoan
from services.circulation.domain.hold import Hold
from services.circulation.domain.loan import Loan, LoanState
from services.circulation.domain.overdue import fine, is_overdue
from services.circulation.domain.payment import payment_to_refund
from services.circulation.domain.policy import PolicyMatrix
from services.circulation.domain.rework import newly_closed
from services.circulation.domain.suspension import FineSuspension, ends_as_announced, relief_on
from shared.mongo import Database

LOANS_AT_ONCE = 1000
"""Number of returned loans whose charges one query checks."""


@dataclass(frozen=True)
class BranchStock:
    """A title's copies at one branch."""

    branch: str
    copies: int
    available: int


def stock(copies: list[Copy]) -> list[BranchStock]:
    """Count the copies and the available copies by the branch that owns them."""
    branches = sorted({copy.branch_code for copy in copies})
    return [
        BranchStock(
            branch,
            sum(copy.branch_code == branch for copy in copies),
            sum(
                copy.branch_code == branch and copy.state is CopyState.AVAILABLE for copy in copies
            ),
        )
        for branch in branches
    ]


@dataclass(frozen=True)
class NextRefund:
    """The part of a charge's refund due that the next refund gives back; 0 if none is due."""

    cents: int
    in_cash: bool


async def next_refund(db: Database, charge: Charge) -> NextRefund:
    """Return the part of a charge's refund due that the next refund gives back."""
    found = None
    if charge.refund_due_cents:
        paid, given = await store.payments.find_of_charge(db, charge.id)
        found = payment_to_refund(charge.id, paid, given)
    if found is None:
        return NextRefund(0, in_cash=False)
    payment, kept = found
    return NextRefund(min(charge.refund_due_cents, kept), payment.in_cash)


async def renewals_left(db: Database, loans: Iterable[Loan], day: date) -> dict[str, int]:
    """Return the number of renewals left on `day`, keyed by loan id."""
    loans = list(loans)
    calendars = await store.calendars.find(db, {loan.branch_code for loan in loans})
    return {
        loan.id: rules.renewals_left(loan, calendars[loan.branch_code].now, day) for loan in loans
    }


@dataclass(frozen=True)
class LoanFine:
    """The fine of one loan on one day."""

    loan: Loan
    as_of: date
    statement: Statement
    overdue: bool
    suspended: bool
    resumes_on: date | None


@dataclass(frozen=True)
class Overdue:
    """The fines of a patron's loans past their stored due dates, with the data they depend on."""

    fines: list[LoanFine]
    calendars: Mapping[str, BranchCalendar]
    """Calendars by branch code."""
    suspensions_version: int
    """Sum of the versions of all fine suspensions: each change of one raises it."""


async def loan_fine(db: Database, loan: Loan, day: date) -> LoanFine:
    """Return a loan's fine if it came back on `day`; for a loan that has ended, its final fine."""
    calendars = await store.calendars.find(db, {loan.branch_code})
    suspensions = await store.suspensions.find(db)
    return fine_of(loan, calendars[loan.branch_code], suspensions, day)


async def overdue(db: Database, patron_id: str, day: date) -> Overdue:
    """Return the fines, on `day`, of a patron's open loans past their stored due dates."""
    loans = await store.loans.find_due_before(db, patron_id, day)
    calendars = await store.calendars.find(db, {loan.branch_code for loan in loans})
    suspensions = await store.suspensions.find(db)
    fines = [fine_of(loan, calendars[loan.branch_code], suspensions, day) for loan in loans]
    return Overdue(fines, calendars, sum(suspension.version for suspension in suspensions))


def fine_of(
    loan: Loan, branch: BranchCalendar, suspensions: list[FineSuspension], day: date
) -> LoanFine:
    """Compute the result of `loan_fine` from data that has been read.

    Includes announcements that the sweep has not applied yet.
    """
    loan = current(loan, branch).loan
    if loan.state is not LoanState.OPEN:
        day = loan.returned_on or loan.lost_on or day
    relief = relief_on(suspensions, loan.branch_code, loan.branch_kind, day)
    return LoanFine(
        loan=loan,
        as_of=day,
        statement=loan.final_fine or fine(loan, branch.now, suspensions, day),
        overdue=is_overdue(loan, branch.now, day),
        suspended=relief is not None,
        resumes_on=relief.resumes_on if relief else None,
    )


async def loans_to_notice(db: Database, day: date, days: Sequence[int]) -> AsyncIterator[str]:
    """Yield the ids of the loans whose patrons may be due an overdue notice on `day`.

    `days` lists, for each notice in turn, the days after the due date on which it is given. A loan
    is overdue on `day` only if its branch was open on a day from the due date to the day before
    `day`. So its due date is on or before the branch's last open day before `day`.
    """
    due_by: dict[tuple[int, date], set[str]] = {}
    for code, branch in (await store.calendars.find(db)).items():
        last_open = branch.now.previous_open(day - timedelta(days=1))
        if last_open is None:
            continue
        for had, after in enumerate(days):
            due_on = min(last_open, day - timedelta(days=after))
            due_by.setdefault((had, due_on), set()).add(code)
    async for loan_id in store.loans.to_notice(db, due_by):
        yield loan_id


async def loans_to_purge(db: Database) -> AsyncIterator[str]:
    """Yield the ids of returned loans without an unpaid amount or a refund due."""
    chunk: list[str] = []
    async for loan_id in store.loans.returned(db):
        chunk.append(loan_id)
        if len(chunk) == LOANS_AT_ONCE:
            for settled in await _settled(db, chunk):
                yield settled
            chunk.clear()
    for settled in await _settled(db, chunk):
        yield settled


async def _settled(db: Database, loan_ids: list[str]) -> list[str]:
    unsettled = await store.charges.unsettled_loans(db, loan_ids)
    return [loan_id for loan_id in loan_ids if loan_id not in unsettled]


async def owes_too_much(db: Database, patron_id: str) -> bool:
    """Return whether what a patron owes blocks them now."""
    patron, borrower = await store.patrons.find(db, patron_id)
    policies = PolicyMatrix(await store.policies.find(db))
    return patron is not None and of_patrons.owes_too_much(patron, borrower, policies)


async def titles_of_charges(db: Database, charges: Collection[Charge]) -> dict[str, str]:
    """Return the ids of the titles that charges are about, keyed by charge id.

    A charge whose loan or hold has been deleted is left out.
    """
    titles = await store.loans.titles_of(db, {one.loan_id for one in charges if one.loan_id})
    titles |= await store.holds.titles_by_hold(db, {one.hold_id for one in charges if one.hold_id})
    about = {one.id: titles.get(one.loan_id or one.hold_id or "") for one in charges}
    return {charge_id: title_id for charge_id, title_id in about.items() if title_id}


async def items_of_charges(db: Database, charges: Collection[Charge]) -> dict[str, str]:
    """Return the names of the titles that charges are about, as `titles_of_charges` does."""
    titles = await titles_of_charges(db, charges)
    names = await store.titles.find_names(db, set(titles.values()))
    return {charge_id: names[title_id] for charge_id, title_id in titles.items()}


@dataclass(frozen=True)
class Read:
    """A past loan and the name of its title; empty if the catalogue no longer has the title."""

    loan: PastLoan
    title: str


async def history_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[Read]:
    """Return up to `limit` + 1 of a patron's past loans; none if they keep no history."""
    loans = await store.history.find_of(db, patron_id, limit, after)
    names = await store.titles.find_names(db, {loan.title_id for loan in loans})
    return [Read(loan, names.get(loan.title_id, "")) for loan in loans]


@dataclass(frozen=True, slots=True)
class ToFetch:
    """A copy that staff have to fetch from a shelf, the name of its title, and its hold."""

    copy: Copy
    title: str
    hold: Hold


async def to_fetch(db: Database, branch: str, limit: int, after: str | None) -> list[ToFetch]:
    """Return up to `limit` + 1 of the copies that staff have to fetch at a branch."""
    copies = await store.titles.find_to_fetch(db, branch, limit, after)
    names = await store.titles.find_names(db, {copy.title_id for copy in copies})
    holds = await store.holds.find_some(db, {copy.hold_id for copy in copies if copy.hold_id})
    return [
        ToFetch(copy, names.get(copy.title_id, ""), holds[copy.hold_id])
        for copy in copies
        if copy.hold_id in holds
    ]


async def holds_to_end(db: Database, day: date) -> AsyncIterator[str]:
    """Yield the ids of the holds that may be over on `day`: no longer wanted, or not collected.

    Goes by the stored dates. `expire_hold` checks whether a closure has moved them since.
    """
    async for hold_id in store.holds.unwanted(db, day):
        yield hold_id
    async for hold_id in store.holds.uncollected(db, day):
        yield hold_id


async def borrowing_patrons(
    db: Database, suspension_id: str, limit: int, after: str | None, today: date
) -> dict[str, set[str]] | None:
    """Return up to `limit` + 1 patrons that a suspension concerns; None: no such suspension.

    The result maps each patron's id to the codes of the branches in the suspension's scope that the
    patron has open loans from. It leaves out branches whose fines another suspension keeps free for
    longer.
    """
    suspensions = await store.suspensions.find(db)
    suspension = next((one for one in suspensions if one.id == suspension_id), None)
    if suspension is None:
        return None

    concerned = _concerned(suspension, suspensions, today)
    return await store.loans.find_borrowing_patrons(db, suspension, limit + 1, after, concerned)


def _concerned(
    suspension: FineSuspension, suspensions: Sequence[FineSuspension], today: date
) -> Callable[[str, str], bool]:
    """Return whether those with loans of a branch in scope, by code and kind, are notified."""

    @cache
    def concerned(branch_code: str, branch_kind: str) -> bool:
        return ends_as_announced(suspension, suspensions, branch_code, branch_kind, today)

    return concerned


@dataclass(frozen=True)
class SuspensionEffect:
    """The effect of a change to a fine suspension."""

    effect: Effect
    patrons_notified: int
    """Number of patrons who are notified: see `borrowing_patrons`."""


async def effect_of_calendars(
    db: Database, calendars: Collection[BranchCalendar], as_of: date
) -> Effect:
    """Compute the effect on loans and fines if branches had these calendars."""
    before = await _world(db)
    # A branch that circulation does not know has no loans.
    known = [calendar for calendar in calendars if calendar.id in before.calendars]
    fines: list[Charge] = []
    for calendar in known:
        span = newly_closed(calendar, since=before.calendars[calendar.id].version)
        if span:
            fines += [f async for f in store.charges.find_fines_over(db, {calendar.id}, *span)]
    loans = await store.loans.find_alike(db, {calendar.id for calendar in known})
    shelved = [hold for one in known async for hold in store.holds.on_shelf(db, one.id)]
    concerned = Concerned(loans, fines, shelved)
    return effect(concerned, before, before.with_calendars(known), as_of)


async def effect_of_suspension(
    db: Database, suspension: FineSuspension, as_of: date, *, is_announced: bool
) -> SuspensionEffect:
    """Compute the effect on fines if this suspension, new or amended, were in force.

    Nobody is notified of a change that is not announced, because it changes nothing.
    """
    before = await _world(db)
    codes = {
        code for code, branch in before.calendars.items() if suspension.concerns(code, branch.kind)
    }
    fines = [
        fine
        async for fine in store.charges.find_fines_over(
            db, codes, suspension.first, suspension.last
        )
    ]
    loans = await store.loans.find_alike(db, codes)
    after = before.with_suspension(suspension)
    concerned = _concerned(suspension, after.suspensions, as_of)
    told = {code for code in codes if concerned(code, before.calendars[code].kind)}
    patrons = await store.loans.find_borrowers(db, told) if is_announced else 0
    return SuspensionEffect(effect(Concerned(loans, fines), before, after, as_of), patrons)


async def _world(db: Database) -> World:
    return World(await store.calendars.find(db), await store.suspensions.find(db))
