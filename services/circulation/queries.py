"""What circulation can be asked. Fines are worked out when asked; nothing accrues in the store."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.circulation import store
from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge
from services.circulation.domain.conflict import Conflict
from services.circulation.domain.copy import Copy, CopyState
from services.circulation.domain.effect import Concerned, Effect, World, effect
from services.circulation.domain.fines import Statement
from services.circulation.domain.history import PastLoan
from services.circulation.domain.hold import Hold
from services.circulation.domain.ledger import Entry
from services.circulation.domain.loan import Loan, LoanState, catch_up, fine, is_overdue
from services.circulation.domain.payment import Payment, Refund
from services.circulation.domain.policy import Policy, PolicyChange
from services.circulation.domain.rework import newly_closed
from services.circulation.domain.suspension import FineSuspension, relief_on
from services.circulation.domain.sweep import Sweep
from services.circulation.domain.title import Title
from shared.mongo import Database

MOST_AT_ONCE = 1000
"""Payments that one run of the job looks at."""


@dataclass(frozen=True)
class Account:
    """A loan's fine on one day."""

    loan: Loan
    as_of: date
    statement: Statement
    overdue: bool
    suspended: bool
    resumes_on: date | None


@dataclass(frozen=True)
class Overdue:
    """The fines of a patron's loans past their stored due dates, and what they depend on."""

    accounts: list[Account]
    calendars: Mapping[str, BranchCalendar]
    """By branch code."""
    suspensions_version: int
    """The sum of the versions of all fine suspensions: it grows with each change of any."""


@dataclass(frozen=True)
class SuspensionEffect:
    """What a change of a suspension does."""

    effect: Effect
    patrons_told: int
    """Those with an open loan in its scope, who are told of it."""


@dataclass(frozen=True)
class Read:
    """A past loan, and what its title is called; empty if the catalogue no longer has it."""

    loan: PastLoan
    title: str


@dataclass(frozen=True)
class BranchStock:
    """A title's copies at one branch."""

    branch: str
    copies: int
    available: int


async def titles(db: Database, text: str, limit: int, after: str | None) -> list[Title]:
    """One more than `limit` of the titles in which every word of `text` begins a word."""
    return await store.titles.search(db, text, limit, after)


async def title(db: Database, title_id: str) -> tuple[Title, list[Copy]] | None:
    """A title and its copies."""
    return await store.titles.find(db, title_id)


def stock(copies: list[Copy]) -> list[BranchStock]:
    """The copies counted by the branch that owns them."""
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


async def loan(db: Database, loan_id: str) -> Loan | None:
    """One loan."""
    return await store.loans.find(db, loan_id)


async def loans_of(
    db: Database, patron_id: str, limit: int, after: str | None, *, only_open: bool
) -> list[Loan]:
    """One more than `limit` of a patron's loans."""
    return await store.loans.find_of(db, patron_id, only_open=only_open, limit=limit, after=after)


async def charge(db: Database, charge_id: str) -> Charge | None:
    """One charge."""
    return await store.charges.find(db, charge_id)


async def charges_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[Charge]:
    """One more than `limit` of a patron's charges."""
    return await store.charges.find_of(db, patron_id, limit, after)


async def entries(db: Database, charge_id: str) -> list[Entry]:
    """The ledger of one charge, oldest entry first."""
    return await store.charges.find_entries(db, charge_id)


async def payment(db: Database, payment_id: str) -> Payment | None:
    """One payment."""
    return await store.payments.find(db, payment_id)


async def payments_under_way(db: Database, begun_by: datetime) -> list[Payment]:
    """Payments that were begun by then and are not over; some, if they are many."""
    return await store.payments.find_under_way(db, begun_by, MOST_AT_ONCE)


async def refunds_under_way(db: Database, begun_by: datetime) -> list[Refund]:
    """Refunds that were begun by then and are not given; some, if they are many."""
    return await store.payments.find_refunds_under_way(db, begun_by, MOST_AT_ONCE)


async def policies(db: Database) -> list[Policy]:
    """The policy rows in force."""
    return await store.policies.find(db)


async def policy_changes(
    db: Database, policy_id: str, limit: int, after: str | None
) -> list[PolicyChange]:
    """One more than `limit` of the versions of a row, in their order."""
    return await store.policies.find_changes(db, policy_id, limit, after)


async def loans_to_forget(db: Database) -> AsyncIterator[str]:
    """Ids of the loans that have come back and of which nothing is unpaid, or due back."""
    chunk: list[str] = []
    async for loan_id in store.loans.returned(db):
        chunk.append(loan_id)
        if len(chunk) == MOST_AT_ONCE:
            for settled in await _settled(db, chunk):
                yield settled
            chunk.clear()
    for settled in await _settled(db, chunk):
        yield settled


async def _settled(db: Database, loan_ids: list[str]) -> list[str]:
    unsettled = await store.charges.unsettled_loans(db, loan_ids)
    return [loan_id for loan_id in loan_ids if loan_id not in unsettled]


async def holds_to_forget(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the holds that ended before `day`: until then whoever was told may ask."""
    async for hold_id in store.holds.ended(db, day):
        yield hold_id


async def history_of(db: Database, patron_id: str, limit: int, after: str | None) -> list[Read]:
    """One more than `limit` of a patron's past loans, if they keep any."""
    loans = await store.history.find_of(db, patron_id, limit, after)
    names = await store.titles.find_names(db, {loan.title_id for loan in loans})
    return [Read(loan, names.get(loan.title_id, "")) for loan in loans]


async def conflicts(
    db: Database, limit: int, after: str | None, *, only_open: bool
) -> list[Conflict]:
    """One more than `limit` of what stations lent offline against the rules."""
    return await store.conflicts.find(db, limit, after, only_open=only_open)


async def suspensions(db: Database) -> list[FineSuspension]:
    """Every fine suspension."""
    return await store.suspensions.find(db)


async def borrowing_patrons(
    db: Database, suspension_id: str, limit: int, after: str | None
) -> list[str] | None:
    """One more than `limit` of the patrons whom a suspension concerns; None: no such suspension."""
    suspension = await store.suspensions.find_one(db, suspension_id)
    if suspension is None:
        return None
    return await store.loans.find_borrowing_patrons(db, suspension, limit + 1, after)


async def account(db: Database, loan: Loan, day: date) -> Account:
    """A loan's fine if it came back on `day`; once returned, as it stood at its return."""
    calendars = await store.calendars.find(db, {loan.branch_code})
    suspensions = await store.suspensions.find(db)
    return account_of(loan, calendars[loan.branch_code], suspensions, day)


async def overdue(db: Database, patron_id: str, day: date) -> Overdue:
    """The fines, on `day`, of a patron's open loans past their stored due dates."""
    loans = await store.loans.find_due_before(db, patron_id, day)
    calendars = await store.calendars.find(db, {loan.branch_code for loan in loans})
    suspensions = await store.suspensions.find(db)
    accounts = [account_of(loan, calendars[loan.branch_code], suspensions, day) for loan in loans]
    return Overdue(accounts, calendars, sum(suspension.version for suspension in suspensions))


def account_of(
    loan: Loan, branch: BranchCalendar, suspensions: list[FineSuspension], day: date
) -> Account:
    """As `account`, of what has been read. Announcements not yet swept up are taken account of."""
    moved = catch_up(loan, branch)
    loan = moved[-1] if moved else loan
    if loan.state is not LoanState.OPEN:
        day = loan.returned_on or loan.lost_on or day
    relief = relief_on(suspensions, loan.branch_code, loan.branch_kind, day)
    return Account(
        loan=loan,
        as_of=day,
        statement=loan.final_fine or fine(loan, branch.now, suspensions, day),
        overdue=is_overdue(loan, branch.now, day),
        suspended=relief is not None,
        resumes_on=relief.resumes_on if relief else None,
    )


async def loans_to_notice(db: Database, day: date, days: Sequence[int]) -> AsyncIterator[str]:
    """Ids of the loans whose patrons may be due an overdue notice on `day`.

    `days` says on which day after the due date each notice is given. A loan is overdue once its
    branch has been open on a day between its due date and `day`: so it is due on or before the
    branch's last open day before `day`.
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


async def holds_to_end(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the holds that are over on `day`: not served in the time chosen, or not collected.

    By the day that was last told. Whether a closure has moved it since, `expire_hold` asks.
    """
    async for hold_id in store.holds.unwanted(db, day):
        yield hold_id
    async for hold_id in store.holds.left(db, day):
        yield hold_id


async def hold(db: Database, hold_id: str) -> Hold | None:
    """One hold."""
    return await store.holds.find(db, hold_id)


async def holds_of(db: Database, patron_id: str) -> list[Hold]:
    """A patron's open holds, in the order of placing."""
    return await store.holds.find_open_of(db, patron_id)


async def positions(db: Database, holds: Sequence[Hold]) -> dict[str, int]:
    """By hold, of those that wait: how many wait for its title up to and with it."""
    return await store.holds.positions(db, holds)


async def queue(db: Database, title_id: str, limit: int, after: str | None) -> list[Hold]:
    """One more than `limit` of a title's open holds, in turn."""
    place = int(after) if after and after.isdecimal() else 0
    return await store.holds.find_queue(db, title_id, limit, place)


async def shelf(db: Database, branch: str, limit: int, after: str | None) -> list[Hold]:
    """One more than `limit` of the holds that can be collected at a branch."""
    return await store.holds.find_shelf(db, branch, limit, after)


async def copy(db: Database, barcode: str) -> Copy | None:
    """The copy with a barcode."""
    return await store.titles.find_copy(db, barcode)


async def loans_to_remind(db: Database, day: date, days: int) -> AsyncIterator[str]:
    """Ids of the loans that are due on `day` or up to `days` after it, not noticed yet."""
    async for loan_id in store.loans.to_remind(db, day, day + timedelta(days=days)):
        yield loan_id


async def loans_to_give_up(db: Database, day: date) -> AsyncIterator[str]:
    """Ids of the loans that may be lost by the rule on `day`."""
    async for loan_id in store.loans.to_lose(db, day):
        yield loan_id


async def suspensions_to_resume(db: Database, day: date) -> list[str]:
    """Ids of the suspensions that have ended by `day`, of which nobody has been told."""
    return await store.suspensions.to_resume(db, day)


async def sweeps(db: Database) -> list[Sweep]:
    """The last sweep of each branch, in order of code."""
    return sorted(await store.sweeps.find(db), key=lambda sweep: sweep.id)


async def branches_to_sweep(db: Database, at: datetime, *, all_settling: bool) -> list[str]:
    """The branches with a sweep to carry on at an instant of the wall clock; see the store."""
    return await store.sweeps.find_waiting(db, at, all_settling=all_settling)


async def effect_of_calendars(
    db: Database, calendars: Collection[BranchCalendar], as_of: date
) -> Effect:
    """What it would do to loans and fines if branches had these calendars."""
    before = await _world(db)
    # A branch that nobody has heard of has no loans.
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
    db: Database, suspension: FineSuspension, as_of: date
) -> SuspensionEffect:
    """What it would do to fines if this suspension, new or in its place, were in force."""
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
    patrons = await store.loans.find_borrowers(db, codes)
    after = before.with_suspension(suspension)
    return SuspensionEffect(effect(Concerned(loans, fines), before, after, as_of), patrons)


async def _world(db: Database) -> World:
    return World(await store.calendars.find(db), await store.suspensions.find(db))
