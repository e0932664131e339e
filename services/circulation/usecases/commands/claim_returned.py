"""Record that a patron says they have returned an item that is still on loan to them."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.loan import Loan
from services.circulation.domain.refusals.loans import InTheFuture, NoSuchLoan
from services.circulation.usecases.events import loan_events
from services.circulation.usecases.steps.current_loan import current_loan, save_change
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ClaimReturned:
    """Command to claim that a loan came back on `on`.

    `patron_id` is the patron who claims it; None: staff.
    """

    loan_id: str
    patron_id: str | None
    on: date
    today: date


def claim_returned(work: Work, command: ClaimReturned) -> Loan:
    """Record the claim; a repeated claim changes nothing.

    Announcements are applied to the loan first, so that the day of the claim is compared with the
    due date in force.

    Raises InTheFuture, NoSuchLoan, LoanNotOpen, LoanLost or ReturnedBeforeBorrowed.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    loan = store.loans.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    known = current_loan(work, loan)
    claimed = rules.claim_returned(known.loan, command.on)
    if claimed is known.loan:
        return loan
    save_change(work, known, claimed)
    work.record(loan_events.claimed(claimed))
    return claimed
