"""Save changes of a patron's ledger: charges, entries, the sum, and an event for each charge."""

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
    """Save `postings`, with `loans` and `holds` more open ones; return the patron's new counts.

    A transaction posts all its changes for one patron in one call, because each event carries the
    patron's standing after all of them. Of two calls for one patron at the same time, one is
    retried, so that decisions made with `borrower` still hold.
    """
    # First, because two calls at once conflict here; the later one then loses little work.
    owed = sum(posting.owed_cents for posting in postings)
    counted = borrower.after(loans=loans, holds=holds, cents=owed)
    await store.patrons.save_borrower(work, counted)
    if postings:
        await store.charges.post(work, postings)
        standing = await _standing(work, counted)
        titles = await _titles(work, [posting.charge for posting in postings])
        for posting in postings:
            work.record(_event(posting, standing, titles.get(posting.charge.id)))
    return counted


async def _titles(work: Work, charges: Sequence[Charge]) -> dict[str, str]:
    """Return the title ids of the charges, by charge id, where the loan or hold still exists."""
    loans = await store.loans.some(work, {one.loan_id for one in charges if one.loan_id})
    holds = await store.holds.some(work, {one.hold_id for one in charges if one.hold_id})
    known = {loan.id: loan.title_id for loan in loans}
    known |= {hold_id: hold.title_id for hold_id, hold in holds.items()}
    about = {one.id: one.loan_id or one.hold_id or "" for one in charges}
    return {charge_id: known[one] for charge_id, one in about.items() if one in known}


async def _standing(work: Work, borrower: Borrower) -> Standing:
    patron = await store.patrons.get(work, borrower.id)
    policies = await store.policies.matrix(work)
    return Standing(
        version=borrower.version,
        outstanding_cents=borrower.outstanding_cents,
        blocked=patron is not None and owes_too_much(patron, borrower, policies),
    )


def _event(posting: Posting, standing: Standing, title_id: str | None) -> ChargeSnapshot:
    fields = snapshot(posting.charge, title_id, standing)
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


def snapshot(
    charge: Charge, title_id: str | None, standing: Standing | None = None
) -> dict[str, Any]:
    """Return the fields that all events of a charge have in common."""
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
