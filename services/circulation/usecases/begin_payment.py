"""Begin a payment: its charges are claimed, and no provider was asked yet."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain import payment as rules
from services.circulation.domain.payment import Payment
from services.circulation.domain.refusals import NoSuchCharge, PaymentUnderWay
from services.circulation.usecases.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BeginPayment:
    """Which charges are to be paid in full, and by whom."""

    charge_ids: tuple[str, ...]
    patron_id: str


async def begin_payment(work: Work, command: BeginPayment) -> Payment:
    """The payment. Raises NoSuchCharge (also for another patron's), NothingToPay, PaymentUnderWay.

    The patron's counts are written though nothing is owed more or less: so a waiver or credit of
    this moment is before or after it, and the sum is what is outstanding.
    """
    charges = [await store.charges.get(work, charge_id) for charge_id in command.charge_ids]
    own = [charge for charge in charges if charge and charge.patron_id == command.patron_id]
    if len(own) < len(charges):
        raise NoSuchCharge
    if await store.payments.claimed(work, command.charge_ids):
        raise PaymentUnderWay
    payment = rules.begin_payment(new_id(), command.patron_id, own, work.now)
    await post(work, await store.patrons.borrower(work, command.patron_id), [])
    await store.payments.begin(work, payment)
    return payment
