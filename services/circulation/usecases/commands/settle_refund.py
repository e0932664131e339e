"""Settle a refund: record that the money was given back."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import ledger
from services.circulation.domain import payment as rules
from services.circulation.domain.ledger import Occasion, PostingKind
from services.circulation.domain.payment import Refund
from services.circulation.domain.refusals.money import NoSuchPayment
from services.circulation.usecases.steps.post_to_ledger import post, show_posted
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SettleRefund:
    """Command to settle a refund that the provider has given."""

    refund_id: str
    on: date


def settle_refund(work: Work, command: SettleRefund) -> Refund:
    """Settle the refund; a repeated call changes nothing, and shows what the first one changed.

    Raises NoSuchPayment.
    """
    refund = store.payments.get_refund(work, command.refund_id)
    charge = store.charges.get(work, refund.charge_id) if refund else None
    if refund is None or charge is None:
        raise NoSuchPayment
    settled = rules.settle_refund(refund)
    if settled is refund:
        show_posted(work, PostingKind.REFUNDED, refund.id, refund.patron_id, [charge.id])
        return refund
    occasion = Occasion(on=command.on, at=work.now, reference=refund.id, by=refund.by)
    borrower = store.patrons.borrower(work, refund.patron_id)
    post(work, borrower, [ledger.refund(charge, refund.cents, occasion)])
    store.payments.save_refund(work, settled)
    return settled
