"""Close a patron's borrowing for good, so that accounts can erase the patron."""

from dataclasses import dataclass, replace

from services.circulation import store
from services.circulation.domain.patron import OpenItems
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CloseBorrower:
    """Command to close the borrowing of a patron whom accounts is about to erase."""

    patron_id: str


def close_borrower(work: Work, command: CloseBorrower) -> OpenItems:
    """Close it unless loans, charges or refunds are open; return those. Repeating it is harmless.

    Every check-out, hold and charge writes the patron's counts. So one at the same time commits
    before this transaction, and is found open, or after it, and finds the borrowing closed.
    """
    borrower = store.patrons.borrower(work, command.patron_id)
    still_open = OpenItems(
        loans=borrower.open_loans,
        outstanding_cents=borrower.outstanding_cents,
        refund_due_cents=store.charges.refund_due_cents(work, command.patron_id),
    )
    if not still_open and not borrower.closed:
        closed = replace(borrower, closed=True, version=borrower.version + 1)
        store.patrons.save_borrower(work, closed)
    return still_open
