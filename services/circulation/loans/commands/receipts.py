"""Send patrons receipts of what they borrowed."""

from datetime import date

from services.circulation.loans import events
from services.circulation.loans.refusals import NothingBorrowed
from services.circulation.loans.store import loans as store
from shared.ids import new_id
from shared.unit_of_work import Work

MOST = 200
"""Number of loans on a receipt; the first ones are left out."""


def request_receipt(work: Work, patron_id: str, branch_code: str, on: date) -> int:
    """Request the receipt of a patron's loans of a day at a branch; return how many they are.

    Raises NothingBorrowed.
    """
    open_loans = store.open_of_patron(work, patron_id)
    own = [loan for loan in open_loans if (loan.branch_code, loan.borrowed_on) == (branch_code, on)]
    if not own:
        raise NothingBorrowed
    work.record(events.receipt_requested(new_id(), patron_id, branch_code, own[-MOST:]))
    return len(own)
