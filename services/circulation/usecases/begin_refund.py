"""Begin a refund of what was paid above what is charged."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain import payment as rules
from services.circulation.domain.payment import Refund
from services.circulation.domain.refusals import NoRefundDue, NoSuchCharge, PaymentUnderWay
from services.circulation.usecases.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BeginRefund:
    """Of which charge, and who of the staff gives it."""

    charge_id: str
    by: str


async def begin_refund(work: Work, command: BeginRefund) -> Refund:
    """The refund. Raises NoSuchCharge, NoRefundDue or PaymentUnderWay.

    The patron's counts are written for the reason that `begin_payment` gives.
    """
    charge = await store.charges.get(work, command.charge_id)
    if charge is None:
        raise NoSuchCharge
    if await store.payments.claimed(work, [charge.id]):
        raise PaymentUnderWay
    payment = await store.payments.of_charge(work, charge.id)
    if payment is None:
        raise NoRefundDue
    refund = rules.begin_refund(new_id(), charge, payment, work.now, by=command.by)
    await post(work, await store.patrons.borrower(work, charge.patron_id), [])
    await store.payments.begin_refund(work, refund)
    return refund
