"""Delete a loan that is over, or keep it as history if its patron asked for that."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.history import past
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeLoan:
    """Command to delete a loan if it is over."""

    loan_id: str


def purge_loan(work: Work, command: PurgeLoan) -> bool:
    """Delete the loan if it is over and nothing is open about its charges; return whether it was.

    Its charges stay, with their statements and the inputs of these: none of that says what was
    lent. Of two calls at the same time, one returns True.
    """
    loan = store.loans.get(work, command.loan_id)
    if loan is None:
        return False
    charges = store.charges.of_loan(work, loan.id)
    over = past(loan, charges)
    if over is None or store.payments.claimed(work, [charge.id for charge in charges]):
        return False
    if _keeps_history(work, loan.patron_id):
        store.history.add(work, over)
    store.loans.purge(work, loan)
    return True


def _keeps_history(work: Work, patron_id: str) -> bool:
    reader = store.history.get(work, patron_id)
    patron = store.patrons.get(work, patron_id)
    erased = patron is None or not patron.card_digest
    return reader is not None and reader.keeps_history and not erased
