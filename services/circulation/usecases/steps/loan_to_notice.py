"""Load a loan that may be due a notice, with its due date moved as announced."""

from services.circulation import store
from services.circulation.domain.due_date import CurrentLoan
from services.circulation.usecases.steps.current_loan import current_loan, save_moves
from shared.unit_of_work import Work


def loan_to_notice(work: Work, loan_id: str) -> CurrentLoan | None:
    """Return the loan with its moves saved and published; None if it does not exist.

    The moves are saved whether a notice is due or not, so that the next run of the job does not
    find the loan by its former due date again.
    """
    loan = store.loans.get(work, loan_id)
    if loan is None:
        return None
    known = current_loan(work, loan)
    save_moves(work, known)
    return known
