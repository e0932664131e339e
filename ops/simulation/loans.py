"""Loans of a simulation, by circulation's rules: from check-out to return or loss."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta

from ops.simulation.books import Books, OpenHold, OpenLoan, utc
from ops.simulation.holds import receive, release, serve, waiting
from services.circulation.loans import events as loans_events
from services.circulation.refusals import Refusal
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import due_date as due_date_rules
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.charge import Charge, ChargeKind, assess, loss_charges, new_charge
from services.circulation.rules.copy import AWAITED_STATES
from services.circulation.rules.due_date import apply_announcements
from services.circulation.rules.hold import Hold, HoldState, cancel, collect
from services.circulation.rules.ledger import assessed
from services.circulation.rules.loan import Channel, Loan
from services.circulation.rules.patron import is_blocked
from services.circulation.rules.policy import HONG_KONG
from services.circulation.settings import Settings

DUE_SOON_DAYS: int = Settings.model_fields["due_soon_days"].default
OVERDUE_DAYS: tuple[int, ...] = Settings.model_fields["overdue_days"].default


class Watch:
    """The loans to look at on each day: those that may be due soon, or overdue."""

    def __init__(self) -> None:
        self._due: dict[date, list[tuple[int, str]]] = {}
        self._late: dict[date, list[tuple[int, str]]] = {}

    def due_date_set(self, number: int, loan: Loan) -> None:
        """Look at a loan before and after its new due date."""
        self._due.setdefault(loan.due_on, []).append((number, loan.id))
        self.look_again(number, loan, loan.due_on + timedelta(1))

    def look_again(self, number: int, loan: Loan, on: date) -> None:
        """Look at a loan that may be overdue."""
        self._late.setdefault(on, []).append((number, loan.id))

    def due_by(self, books: Books, last: date) -> Iterator[OpenLoan]:
        """Yield the open loans that were to be due by a day, once."""
        for _, known in _open(books, self._due, last):
            yield known

    def late_by(self, books: Books, on: date) -> Iterator[tuple[int, OpenLoan]]:
        """Yield the open loans that are to be looked at by a day, once, with their copies."""
        yield from _open(books, self._late, on)


def _open(
    books: Books, days: dict[date, list[tuple[int, str]]], last: date
) -> Iterator[tuple[int, OpenLoan]]:
    for day in sorted(day for day in days if day <= last):
        for number, loan_id in days.pop(day):
            known = books.loans.get(number)
            if known and known.loan.id == loan_id:
                yield number, known


def check_out(
    books: Books, watch: Watch, patron: int, numbers: Sequence[int], *, branch: str, at: datetime
) -> list[str]:
    """Lend copies; return for each the code of its refusal, or an empty text."""
    person, borrower = books.city.patron(patron), books.borrower(patron)
    calendar, holds = books.calendars[branch], books.holds_of(patron)
    outcomes: list[str] = []
    lent: list[tuple[int, Loan]] = []
    for number in numbers:
        copy = books.copy(number)
        policy = HONG_KONG.pick(person.category, copy.category, calendar.kind)
        held = holds.get(books.city.title_of(number))
        try:
            loan, taken = loan_rules.check_out(
                loan_id=books.identifier(at),
                copy=copy,
                patron=person,
                blocked=is_blocked(person, borrower.outstanding_cents, policy),
                open_loans=borrower.open_loans + len(lent),
                policy=policy,
                calendar=calendar.now,
                on=at.date(),
                hold_id=held.hold.id if held else None,
            )
        except Refusal as refusal:
            outcomes.append(refusal.code)
            continue
        outcomes.append("")
        lent.append((number, loan))
        books.set_copy(number, taken)
    if lent:
        _save(books, watch, patron, lent, at)
    return outcomes


def _save(
    books: Books, watch: Watch, patron: int, lent: Sequence[tuple[int, Loan]], at: datetime
) -> None:
    """Record new loans, and end the holds that they fulfil."""
    ended = list(_ended(books, patron, lent, at.date()))
    fees = [
        new_charge(
            books.identifier(at),
            hold.patron_id,
            ChargeKind.HOLD_FEE,
            loan.policy.hold_fee_cents,
            at.date(),
            hold_id=hold.id,
        )
        for _, hold in ended
        for _, loan in lent
        if hold.state is HoldState.COLLECTED and loan.copy_id == hold.copy_id
    ]
    books.post(
        patron,
        [assessed(fee, utc(at)) for fee in fees],
        loans=len(lent),
        holds=-len(ended),
        about={hold.id: hold.title_id for _, hold in ended},
    )
    for number, loan in lent:
        books.loans[number] = OpenLoan(loan, patron)
        watch.due_date_set(number, loan)
        books.record(loans_events.checked_out(loan))
    for known, hold in ended:
        release(books, known, hold, at.date())


def _ended(
    books: Books, patron: int, lent: Sequence[tuple[int, Loan]], on: date
) -> Iterator[tuple[OpenHold, Hold]]:
    """Yield a patron's holds that new loans end: collected, or cancelled by another copy."""
    titles = {books.city.title_of(number) for number, _ in lent}
    numbers = {number for number, _ in lent}
    for title, known in books.holds_of(patron).items():
        if known.copy is not None and known.copy in numbers:
            yield known, collect(known.hold, on)
        elif title in titles:
            yield known, cancel(known.hold, on, "borrowed")


def renew(books: Books, watch: Watch, number: int, at: datetime) -> str:
    """Renew the loan of a copy; return the code of the refusal, or an empty text."""
    known, on = books.loans[number], at.date()
    loan, calendar = known.loan, books.calendars[known.loan.branch_code].now
    owed = books.borrower(known.patron).outstanding_cents
    try:
        renewed = loan_rules.renew(
            loan,
            on=on,
            calendar=calendar,
            queue=sum(
                facts.can_be_served(loan.copy_category, HONG_KONG, on)
                for _, facts in waiting(books, books.city.title_of(number))
            ),
            blocked=is_blocked(books.city.patron(known.patron), owed, loan.policy),
        )
    except Refusal as refusal:
        return refusal.code
    charge = assess(books.identifier(at), loan, books.fine(loan, on), on)
    known.loan = renewed
    watch.due_date_set(number, renewed)
    books.record(
        loans_events.renewed(
            renewed, previous_due_on=loan.due_on, reference=loan_rules.renewal_reference(renewed)
        )
    )
    _post(books, known, [charge] if charge else [], at)
    return ""


def take_back(books: Books, number: int, branch: str, channel: Channel, at: datetime) -> None:
    """Take a copy back at a branch, or receive it there if it was awaited."""
    on = at.date()
    if books.copy(number).state in AWAITED_STATES:
        receive(books, number, branch, on)
    else:
        known = books.loans.pop(number)
        fine = books.fine(known.loan, on)
        loan = loan_rules.give_back(
            known.loan, on=on, branch_code=branch, channel=channel, final_fine=fine
        )
        books.set_copy(number, copy_rules.take_back(books.copy(number), on, branch_code=branch))
        books.record(loans_events.returned(loan, branch_code=branch, channel=channel))
        charge = assess(books.identifier(at), known.loan, fine, on)
        _post(books, known, [charge] if charge else [], at, loans=-1)
    serve(books, books.city.title_of(number), on, freed=[number], in_hand={number})


def give_notices(books: Books, watch: Watch, at: datetime) -> None:
    """Give the notices of a day, and declare lost what is overdue for too long."""
    on = at.date()
    for known in watch.due_by(books, on + timedelta(DUE_SOON_DAYS)):
        calendar = books.calendars[known.loan.branch_code].now
        if due_date_rules.is_due_soon(known.loan, calendar, on, DUE_SOON_DAYS):
            known.loan = due_date_rules.notice_due_soon(known.loan, on=on)
            books.record(loans_events.due_soon(known.loan, on=on))
    for number, known in list(watch.late_by(books, on)):
        calendar = books.calendars[known.loan.branch_code].now
        if not due_date_rules.is_overdue(known.loan, calendar, on):
            continue  # its new due date is watched too
        notice = due_date_rules.overdue_notice(known.loan, calendar, on, OVERDUE_DAYS)
        if notice is not None:
            known.loan = due_date_rules.notice_overdue(known.loan, on=on, number=notice)
            books.record(loans_events.overdue(known.loan, on=on, number=notice))
        fine = books.fine(known.loan, on)
        if due_date_rules.is_long_overdue(known.loan, fine):
            _lose(books, number, at)
        else:
            watch.look_again(number, known.loan, on + timedelta(1))


def move_due_dates(books: Books, watch: Watch, branch: str) -> None:
    """Move the due dates of a branch's loans after its calendar changed."""
    for number, known in books.loans.items():
        if known.loan.branch_code == branch:
            for moved in apply_announcements(known.loan, books.calendars[branch]):
                known.loan = moved
                watch.due_date_set(number, moved)
                books.record(loans_events.due_date_changed(moved))


def _lose(books: Books, number: int, at: datetime) -> None:
    known, on = books.loans.pop(number), at.date()
    fine = books.fine(known.loan, on)
    late = assess(books.identifier(at), known.loan, fine, on)
    copy = books.copy(number)
    price = loss_charges(
        books.identifier(at), books.identifier(at), known.loan, copy.price_cents or 0, on
    )
    books.set_copy(number, copy_rules.lose(copy))
    lost = loan_rules.lose(known.loan, on, fine)
    books.record(loans_events.lost(lost, on=on, declared_by="rule", charged=bool(price)))
    _post(books, known, [*((late,) if late else ()), *price], at, loans=-1)


def _post(
    books: Books, known: OpenLoan, charges: Sequence[Charge], at: datetime, *, loans: int = 0
) -> None:
    postings = [assessed(charge, utc(at)) for charge in charges]
    books.post(known.patron, postings, loans=loans, about={known.loan.id: known.loan.title_id})
