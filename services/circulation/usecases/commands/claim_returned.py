"""Record that a patron says they have returned an item that is still on loan to them."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.loan import Loan
from services.circulation.domain.refusals import InTheFuture, NoSuchLoan
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanClaimed
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


async def claim_returned(work: Work, command: ClaimReturned) -> Loan:
    """Record the claim; a repeated claim changes nothing.

    Announcements are applied to the loan first, so that the day of the claim is compared with the
    due date in force.

    Raises InTheFuture, NoSuchLoan, LoanNotOpen, LoanLost or ReturnedBeforeBorrowed.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    loan = await store.loans.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    calendar = await store.calendars.get(work, loan.branch_code)
    moved = rules.catch_up(loan, calendar) if calendar else ()
    before = moved[-1] if moved else loan
    claimed = rules.claim_returned(before, command.on)
    if claimed is before:
        return loan
    await store.loans.save(work, [*moved, claimed])
    tell_moves(work, moved)
    work.record(LoanClaimed(**snapshot(claimed)))
    return claimed
