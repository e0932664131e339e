"""Events of a charge: its snapshot after each change of the ledger."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from services.circulation.rules.charge import Charge, ChargeKind
from services.circulation.rules.fines import as_document
from services.circulation.rules.ledger import Posting, PostingKind
from services.circulation.rules.payment import Payment
from shared.contracts.circulation import (
    ChargeOfGroup,
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
    PaymentReceiptRequested,
    Standing,
)
from shared.contracts.statement import SpanOut


def snapshot(charge: Charge, title_id: str | None) -> ChargeSnapshot:
    """Return the charge as a rebuild reads it; `title_id` is of its item, if it is known."""
    return ChargeSnapshot(**_fields(charge, title_id, None))


def of_transaction(
    postings: Sequence[Posting], standing: Standing, titles: Mapping[str, str]
) -> Iterator[ChargeSnapshot]:
    """Yield the events of all changes of one transaction, with the patron's standing after it.

    `titles` are the title ids of the items, by charge id, as far as they are known. The patron is
    notified once of new charges, of a payment, and of what a return lowers; of a loss by its price.
    A fine whose last day was suspended is apart, because its notification names no amount. So is
    each fine that a closure or a suspension lowers.
    """
    groups: dict[object, list[Posting]] = {}
    for posting in sorted(postings, key=lambda posting: posting.charge.kind is not ChargeKind.LOST):
        groups.setdefault(_group(posting), []).append(posting)
    for posting in postings:
        title_id = titles.get(posting.charge.id)
        first, *others = groups[_group(posting)]
        if posting is first:
            together = tuple(_in_group(other, titles) for other in others)
            yield posted(posting, standing, title_id, others=together)
        else:
            yield posted(posting, standing, title_id, notified_with=first.charge.id)


def _group(posting: Posting) -> object:
    """Return a key that is the same for changes that a patron is notified of together."""
    charge, reference = posting.charge, _reference(posting)
    match posting.kind:
        case PostingKind.ASSESSED:
            key: object = charge.statement is not None and charge.statement.ends_suspended
        case PostingKind.ADJUSTED:
            key = reference if reference == charge.loan_id else charge.id
        case _:
            key = reference
    return posting.kind, key


def _reference(posting: Posting) -> str:
    return posting.entries[0].reference if posting.entries else ""


def _in_group(posting: Posting, titles: Mapping[str, str]) -> ChargeOfGroup:
    return ChargeOfGroup(
        charge_id=posting.charge.id,
        charge_kind=posting.charge.kind.value,
        title_id=titles.get(posting.charge.id),
        cents=posting.moved_cents,
    )


def posted(
    posting: Posting,
    standing: Standing,
    title_id: str | None,
    *,
    others: tuple[ChargeOfGroup, ...] = (),
    notified_with: str | None = None,
) -> ChargeSnapshot:
    """Return the event of one change, with the patron's standing after it."""
    fields = {
        **_fields(posting.charge, title_id, standing),
        "others": others,
        "notified_with": notified_with,
    }
    reference = _reference(posting)
    match posting.kind:
        case PostingKind.ASSESSED:
            return FineAssessed(**fields, **_statement(posting.charge))
        case PostingKind.PAID:
            return FinePaid(**fields, paid_cents=posting.moved_cents, payment_id=reference)
        case PostingKind.WAIVED:
            return FineWaived(**fields, waived_cents=posting.moved_cents)
        case PostingKind.ADJUSTED:
            return FineAdjusted(**fields, lowered_cents=posting.moved_cents, cause=reference)
        case PostingKind.CANCELLED:
            return FineAdjusted(
                **fields, lowered_cents=0, cancelled_cents=posting.moved_cents, cause=reference
            )
        case PostingKind.REFUNDED:
            return FineAdjusted(
                **fields, lowered_cents=0, refunded_cents=posting.moved_cents, cause=reference
            )


def receipt_requested(
    payment: Payment, charges: Mapping[str, Charge], titles: Mapping[str, str]
) -> PaymentReceiptRequested:
    """Return the event of a receipt to send; charges and titles by charge id, as above."""
    return PaymentReceiptRequested(
        version=payment.version,
        payment_id=payment.id,
        patron_id=payment.patron_id,
        paid_at=payment.begun_at,
        in_cash=payment.in_cash,
        amount_cents=payment.cents,
        parts=tuple(
            ChargeOfGroup(
                charge_id=part.charge_id,
                charge_kind=charges[part.charge_id].kind.value,
                title_id=titles.get(part.charge_id),
                cents=part.cents,
            )
            for part in payment.parts
        ),
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
