"""Events of a charge: its snapshot after each change of the ledger."""

from typing import Any

from services.circulation.domain.charge import Charge, ChargeKind
from services.circulation.domain.fines import as_document
from services.circulation.domain.ledger import Posting, PostingKind
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
    Standing,
)
from shared.contracts.statement import SpanOut


def snapshot(charge: Charge, title_id: str | None) -> ChargeSnapshot:
    """Return the charge as a rebuild reads it; `title_id` is of its item, if it is known."""
    return ChargeSnapshot(**_fields(charge, title_id, None))


def posted(posting: Posting, standing: Standing, title_id: str | None) -> ChargeSnapshot:
    """Return the event of one change, with the patron's standing after it."""
    fields = _fields(posting.charge, title_id, standing)
    reference = posting.entries[0].reference if posting.entries else ""
    match posting.kind:
        case PostingKind.ASSESSED:
            return FineAssessed(**fields, **_statement(posting.charge))
        case PostingKind.PAID:
            return FinePaid(**fields, paid_cents=posting.moved_cents, payment_id=reference)
        case PostingKind.WAIVED:
            return FineWaived(**fields, waived_cents=posting.moved_cents)
        case PostingKind.ADJUSTED:
            return FineAdjusted(**fields, lowered_cents=posting.moved_cents, cause=reference)
        case PostingKind.REFUNDED:
            return FineAdjusted(
                **fields, lowered_cents=0, refunded_cents=posting.moved_cents, cause=reference
            )


def _fields(charge: Charge, title_id: str | None, standing: Standing | None) -> dict[str, Any]:
    """Return the fields that all events of a charge have in common.

    `kind` and `processing` are the form of `charge_kind` that readers of the first release know.
    """
    processing = charge.kind is ChargeKind.LOST_PROCESSING
    return {
        "version": charge.version,
        "charge_id": charge.id,
        "patron_id": charge.patron_id,
        "loan_id": charge.loan_id or "",
        "kind": (ChargeKind.LOST if processing else charge.kind).value,
        "amount_cents": charge.amount_cents,
        "outstanding_cents": charge.outstanding_cents,
        "assessed_on": charge.assessed_on,
        "hold_id": charge.hold_id,
        "title_id": title_id,
        "processing": processing,
        "charge_kind": charge.kind.value,
        "refund_due_cents": charge.refund_due_cents,
        "open": charge.is_open,
        "standing": standing,
    }


def _statement(charge: Charge) -> dict[str, Any]:
    fine = charge.statement
    if fine is None:
        return {
            "due_on": charge.assessed_on,
            "charged_days": 0,
            "spans": (),
            "suspended": False,
        }
    return {
        "due_on": fine.due_on,
        "charged_days": fine.charged_days,
        "spans": tuple(SpanOut.model_validate(span) for span in as_document(fine)["spans"]),
        "suspended": fine.ends_suspended,
    }
