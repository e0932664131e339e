"""Events of a loan: its snapshot after each change."""

from collections.abc import Iterable
from datetime import date
from typing import Any, Literal

from services.circulation.rules.loan import Channel, Loan
from shared.contracts.circulation import (
    LoanCheckedOut,
    LoanClaimed,
    LoanDueDateChanged,
    LoanDueSoon,
    LoanLost,
    LoanOverdue,
    LoanRenewed,
    LoanReturned,
    LoanSnapshot,
    LoanUndone,
    ReceiptItem,
    ReceiptRequested,
)


def snapshot(loan: Loan) -> LoanSnapshot:
    """Return the loan as a rebuild reads it."""
    return LoanSnapshot(**_fields(loan))


def checked_out(loan: Loan, overridden: str | None = None) -> LoanCheckedOut:
    """Return the event of a new loan; `overridden` is the code of a refusal that staff overrode."""
    return LoanCheckedOut(**_fields(loan), overridden=overridden)


def renewed(
    loan: Loan,
    *,
    previous_due_on: date,
    reference: str,
    acting: str | None = None,
    overridden: str | None = None,
    automatic: bool = False,
) -> LoanRenewed:
    """Return the event of a renewal, with the reference that the patron can quote.

    `acting` is the linked patron who renewed it, if one did; `overridden` is the code of a refusal
    that staff overrode.
    """
    return LoanRenewed(
        **_fields(loan),
        previous_due_on=previous_due_on,
        reference=reference,
        acting_patron_id=acting,
        overridden=overridden,
        automatic=automatic,
    )


def due_date_changed(loan: Loan) -> LoanDueDateChanged:
    """Return the event of the loan's last move of its due date."""
    move = loan.moves[-1]
    return LoanDueDateChanged(**_fields(loan), previous_due_on=move.from_, cause=move.cause.id)


def due_soon(loan: Loan, *, on: date, renews: bool = False) -> LoanDueSoon:
    """Return the event of a due-soon notice given on `on`; `renews` if it is to be renewed."""
    return LoanDueSoon(**_fields(loan), noticed_on=on, renews=renews)


def overdue(loan: Loan, *, on: date, number: int) -> LoanOverdue:
    """Return the event of overdue notice `number`, counted from 1, given on `on`."""
    return LoanOverdue(**_fields(loan), overdue_on=on, notice=number)


def returned(loan: Loan, *, branch_code: str, channel: Channel) -> LoanReturned:
    """Return the event of a return at a branch."""
    return LoanReturned(**_fields(loan), return_branch=branch_code, channel=channel)


def lost(
    loan: Loan, *, on: date, declared_by: Literal["patron", "staff", "rule"], charged: bool
) -> LoanLost:
    """Return the event of a loss declared on `on`; `charged` if the price is charged."""
    return LoanLost(**_fields(loan), lost_on=on, declared_by=declared_by, charged=charged)


def undone(loan: Loan, undid: Literal["check-out", "return"]) -> LoanUndone:
    """Return the event of an undone check-out or return."""
    return LoanUndone(**_fields(loan), undid=undid)


def receipt_requested(
    receipt_id: str, patron_id: str, branch_code: str, loans: Iterable[Loan]
) -> ReceiptRequested:
    """Return the event of a receipt to send for some loans of a patron."""
    items = tuple(
        ReceiptItem(
            loan_id=loan.id,
            title_id=loan.title_id,
            due_on=loan.due_on,
            due_at=loan.due_time.at if loan.due_time else None,
        )
        for loan in loans
    )
    return ReceiptRequested(
        version=1, receipt_id=receipt_id, patron_id=patron_id, branch=branch_code, loans=items
    )


def claimed(loan: Loan) -> LoanClaimed:
    """Return the event of a claim that was made or rejected."""
    return LoanClaimed(**_fields(loan))


def _fields(loan: Loan) -> dict[str, Any]:
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
        "due_at": loan.due_time.at if loan.due_time else None,
        "renewals": loan.renewals,
        "renewals_left": loan.policy_renewals_left,
        "renewals_allowed": loan.policy.renewals_allowed,
        "state": loan.state.value,
        "returned_on": loan.returned_on,
        "claimed_returned_on": loan.claimed_returned_on,
    }
