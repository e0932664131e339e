"""Keep what changes in a patron's ledger: charges, entries, the sum, and the events of each."""

from collections.abc import Sequence
from typing import Any

from services.circulation import store
from services.circulation.domain.charge import Charge, ChargeKind
from services.circulation.domain.fines import as_document
from services.circulation.domain.ledger import Change, Posting
from services.circulation.domain.patron import Borrower, owes_too_much
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
    SpanOut,
    Standing,
)
from shared.unit_of_work import Work


async def post(
    work: Work,
    borrower: Borrower,
    postings: Sequence[Posting],
    *,
    loans: int = 0,
    holds: int = 0,
) -> Borrower:
    """What is counted of the patron after `postings`, with `loans` and `holds` more open ones.

    All the postings that a transaction makes for one patron are given at once, for each event says
    how the patron stands after all of them. Of two calls at once for one patron one is run again,
    so what `borrower` was read for still holds.
    """
    # First, for it is what two calls at once meet in: the later one loses little work.
    owed = sum(posting.owed_cents for posting in postings)
    counted = borrower.after(loans=loans, holds=holds, cents=owed)
    await store.patrons.save_borrower(work, counted)
    if postings:
        await store.charges.post(work, postings)
        standing = await _standing(work, counted)
        for posting in postings:
            work.record(_event(posting, standing))
    return counted


async def _standing(work: Work, borrower: Borrower) -> Standing:
    patron = await store.patrons.get(work, borrower.id)
    policies = await store.policies.matrix(work)
    return Standing(
        version=borrower.version,
        outstanding_cents=borrower.outstanding_cents,
        blocked=patron is not None and owes_too_much(patron, borrower, policies),
    )


def _event(posting: Posting, standing: Standing) -> ChargeSnapshot:
    fields = snapshot(posting.charge, standing)
    reference = posting.entries[0].reference if posting.entries else ""
    match posting.change:
        case Change.ASSESSED:
            return FineAssessed(**fields, **_statement(posting.charge))
        case Change.PAID:
            return FinePaid(**fields, paid_cents=posting.moved_cents, payment_id=reference)
        case Change.WAIVED:
            return FineWaived(**fields, waived_cents=posting.moved_cents)
        case Change.ADJUSTED:
            return FineAdjusted(**fields, lowered_cents=posting.moved_cents, cause=reference)
        case Change.REFUNDED:
            return FineAdjusted(
                **fields, lowered_cents=0, refunded_cents=posting.moved_cents, cause=reference
            )


def snapshot(charge: Charge, standing: Standing | None = None) -> dict[str, Any]:
    """The fields that every event of a charge has."""
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
        "processing": processing,
        "refund_due_cents": charge.refund_due_cents,
        "standing": standing,
    }


def _statement(charge: Charge) -> dict[str, Any]:
    fine = charge.statement
    if fine is None:
        return {"due_on": charge.assessed_on, "charged_days": 0, "spans": ()}
    return {
        "due_on": fine.due_on,
        "charged_days": fine.charged_days,
        "spans": tuple(SpanOut.model_validate(span) for span in as_document(fine)["spans"]),
    }
