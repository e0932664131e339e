"""Notice loans that are due soon or overdue, and purge those that are over."""

from datetime import date

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import store as charges_store
from services.circulation.experience import store as experience_store
from services.circulation.loans import events
from services.circulation.loans.commands.current import current_loan, save_moves
from services.circulation.loans.store import loans as store
from services.circulation.rules import due_date as due_date_rules
from services.circulation.rules.due_date import CurrentLoan
from services.circulation.rules.history import past, renews_on_due_date
from services.circulation.rules.loan import renewals_left
from services.circulation.rules.undo import may_be_undone
from shared.unit_of_work import Work


def loan_to_notice(work: Work, loan_id: str) -> CurrentLoan | None:
    """Return the loan with its moves saved and published; None if it does not exist.

    The moves are saved whether a notice is due or not, so that the next run of the job does not
    find the loan by its former due date again.
    """
    loan = store.get(work, loan_id)
    if loan is None:
        return None
    present = current_loan(work, loan)
    save_moves(work, present)
    return present


def notice_due_soon(work: Work, loan_id: str, on: date, days: int) -> bool:
    """Notice a loan that is due within `days` days from `on`, once; return whether it was now.

    Of two calls at the same time, one returns True.
    """
    present = loan_to_notice(work, loan_id)
    if present is None or not due_date_rules.is_due_soon(present.loan, present.calendar, on, days):
        return False
    noticed = due_date_rules.notice_due_soon(present.loan, on=on)
    store.save(work, [noticed])
    work.record(events.due_soon(noticed, on=on, renews=_renews(work, present, on)))
    return True


def _renews(work: Work, present: CurrentLoan, on: date) -> bool:
    """Return whether the loan is to be renewed on its due date; reads only if its policy may."""
    if not present.loan.policy.renews_automatically:
        return False
    reader = borrowers_store.get_reader(work, present.loan.patron_id)
    left = renewals_left(present.loan, present.calendar, on)
    return left > 0 and renews_on_due_date(present.loan, reader)


def notice_overdue(work: Work, loan_id: str, on: date, days: tuple[int, ...]) -> bool:
    """Give a loan the overdue notice that is due on `on`, if any; return whether one was given.

    `days` are the days after the due date on which notices are given.

    Of two calls at the same time, one returns True.
    """
    present = loan_to_notice(work, loan_id)
    if present is None:
        return False
    number = due_date_rules.overdue_notice(present.loan, present.calendar, on, days)
    if number is None:
        return False
    noticed = due_date_rules.notice_overdue(present.loan, on=on, number=number)
    store.save(work, [noticed])
    work.record(events.overdue(noticed, on=on, number=number))
    return True


def purge_loan(work: Work, loan_id: str) -> bool:
    """Delete the loan if it is over and nothing is open about its charges; return whether it was.

    Its charges stay, with their statements and the inputs of these: none of that says what was
    lent. Of two calls at the same time, one returns True.
    """
    loan = store.get(work, loan_id)
    if loan is None:
        return False
    charges = charges_store.of_loan(work, loan.id)
    over = past(loan, charges)
    if over is None or may_be_undone(loan, work.now):
        return False
    if charges_store.claimed(work, [charge.id for charge in charges]):
        return False
    if _keeps_history(work, loan.patron_id):
        borrowers_store.add_to_history(work, over)
    experience_store.count_loan(work, loan)
    store.purge(work, loan)
    return True


def _keeps_history(work: Work, patron_id: str) -> bool:
    reader = borrowers_store.get_reader(work, patron_id)
    patron = borrowers_store.get_patron(work, patron_id)
    erased = patron is None or not patron.card_digest
    return reader is not None and reader.keeps_history and not erased
