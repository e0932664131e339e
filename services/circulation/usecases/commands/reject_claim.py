"""Reject a claim that an item was returned: it was looked for and not found."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.loan import Loan
from services.circulation.domain.refusals.loans import NoSuchLoan
from services.circulation.usecases.events import loan_events
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RejectClaim:
    """Command to reject the claim on a loan."""

    loan_id: str


def reject_claim(work: Work, command: RejectClaim) -> Loan:
    """Reject the claim; the loan's fine is counted again.

    Raises NoSuchLoan, LoanNotOpen, LoanLost or NoClaim.
    """
    loan = store.loans.get(work, command.loan_id)
    if loan is None:
        raise NoSuchLoan
    rejected = rules.reject_claim(loan)
    store.loans.save(work, [rejected])
    work.record(loan_events.claimed(rejected))
    return rejected
