"""Publish a loan's snapshot after each change."""

from collections.abc import Iterable
from typing import Any

from services.circulation.domain.loan import Loan
from shared.contracts.circulation import LoanDueDateChanged
from shared.unit_of_work import Work


def snapshot(loan: Loan) -> dict[str, Any]:
    """Return the fields that all events of a loan have in common."""
    return {
        "version": loan.version,
        "loan_id": loan.id,
        "patron_id": loan.patron_id,
        "title_id": loan.title_id,
        "copy_id": loan.copy_id,
        "barcode": loan.barcode,
        "category": loan.copy_category,
        "branch": loan.branch_code,
        "branch_kind": loan.branch_kind,
        "borrowed_on": loan.borrowed_on,
        "due_on": loan.due_on,
        "renewals": loan.renewals,
        "renewals_left": loan.policy_renewals_left,
        "renewals_allowed": loan.policy.renewals_allowed,
        "state": loan.state.value,
        "returned_on": loan.returned_on,
        "claimed_returned_on": loan.claimed_returned_on,
    }


def tell_moves(work: Work, steps: Iterable[Loan]) -> None:
    """Record an event for each loan of `steps`, whose due date has just moved."""
    for loan in steps:
        move = loan.moves[-1]
        work.record(
            LoanDueDateChanged(**snapshot(loan), previous_due_on=move.from_, cause=move.cause.id)
        )
