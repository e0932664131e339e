"""Publish a loan's snapshot after each change."""

from collections.abc import Iterable
from typing import Any

from services.circulation.domain.charge import Charge
from services.circulation.domain.fines import as_document
from services.circulation.domain.loan import Loan
from shared.contracts.circulation import FineAssessed, LoanDueDateChanged, SpanOut
from shared.unit_of_work import Work


def snapshot(loan: Loan) -> dict[str, Any]:
    """The fields that every event of a loan has."""
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
        "renewals_left": loan.renewals_left,
        "state": loan.state.value,
        "returned_on": loan.returned_on,
    }


def tell_moves(work: Work, steps: Iterable[Loan]) -> None:
    """Record an event for each loan of `steps`, whose due date has just moved."""
    for loan in steps:
        move = loan.moves[-1]
        work.record(
            LoanDueDateChanged(**snapshot(loan), previous_due_on=move.from_, cause=move.cause.id)
        )


def tell_fine(work: Work, charge: Charge) -> None:
    """Record the event of a fine that has become a charge."""
    fine = charge.statement
    if fine is None or fine.due_on is None or charge.loan_id is None:
        raise ValueError(f"charge {charge.id} is not a fine")
    work.record(
        FineAssessed(
            version=charge.version,
            charge_id=charge.id,
            patron_id=charge.patron_id,
            loan_id=charge.loan_id,
            kind=charge.kind.value,
            amount_cents=charge.amount_cents,
            outstanding_cents=charge.outstanding_cents,
            assessed_on=charge.assessed_on,
            due_on=fine.due_on,
            charged_days=fine.charged_days,
            spans=tuple(SpanOut.model_validate(span) for span in as_document(fine)["spans"]),
        )
    )
