"""Begin a refund of money that was paid beyond what is charged."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import ledger
from services.circulation.domain import payment as rules
from services.circulation.domain.ledger import Occasion
from services.circulation.domain.payment import Refund
from services.circulation.domain.refusals.money import (
    NoPaymentProvider,
    NoRefundDue,
    NoSuchCharge,
    PaymentUnderWay,
)
from services.circulation.usecases.steps.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BeginRefund:
    """Command to refund a charge; `by` is the member of staff who gives the refund."""

    charge_id: str
    by: str
    on: date
    has_provider: bool
    """True if a payment provider is set up; cash is given back without one."""
    cents: int | None = None
    """Cents that the member of staff was shown, if known."""


def begin_refund(work: Work, command: BeginRefund) -> Refund:
    """Begin the refund; if one for this charge is under way, return that one.

    What was paid in cash is given back in cash, so this refund is over at once. A charge that was
    paid in both ways has two refunds, the first in cash.

    Raises NoSuchCharge, NoRefundDue, AmountChanged if other cents are due back,
    NoPaymentProvider, or PaymentUnderWay if a payment of the charge is under way.

    The patron's counts are written for the reason that `begin_payment` gives.
    """
    charge = store.charges.get(work, command.charge_id)
    if charge is None:
        raise NoSuchCharge
    if store.payments.claimed(work, [charge.id]):
        under_way = store.payments.refund_under_way(work, charge.id)
        if under_way is None:
            raise PaymentUnderWay
        return under_way
    paid = store.payments.of_charge(work, charge.id)
    given = store.payments.refunds_of(work, charge.id)
    found = rules.payment_to_refund(charge.id, paid, given)
    if found is None:
        raise NoRefundDue
    payment, kept = found
    refund = rules.begin_refund(
        new_id(), charge, payment, kept, work.now, by=command.by, cents=command.cents
    )
    borrower = store.patrons.borrower(work, charge.patron_id)
    if refund.in_cash:
        occasion = Occasion(on=command.on, at=work.now, reference=refund.id, by=command.by)
        post(work, borrower, [ledger.refund(charge, refund.cents, occasion)])
        store.payments.add_refund(work, refund)
    elif command.has_provider:
        post(work, borrower, [])
        store.payments.begin_refund(work, refund)
    else:
        raise NoPaymentProvider
    return refund
