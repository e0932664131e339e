"""Begin a payment: claim its charges before the provider is asked."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain import payment as rules
from services.circulation.domain.payment import Payment
from services.circulation.domain.refusals.money import PaymentUnderWay
from services.circulation.usecases.steps.own_charges import own_charges
from services.circulation.usecases.steps.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class BeginPayment:
    """Command to pay a patron's charges in full."""

    charge_ids: tuple[str, ...]
    patron_id: str


def begin_payment(work: Work, command: BeginPayment) -> Payment:
    """Begin the payment; if one for the same charges is under way, return that one.

    Raises NoSuchCharge (also for another patron's charge), NothingToPay, or PaymentUnderWay if
    another payment or a refund of one of the charges is under way.

    The patron's counts are written although what they owe does not change. A waiver or credit at
    the same time therefore commits before or after this transaction, and the sum is what is
    outstanding.
    """
    charges = own_charges(work, command.charge_ids, command.patron_id)
    if store.payments.claimed(work, command.charge_ids):
        return _under_way(work, command)
    payment = rules.begin_payment(new_id(), command.patron_id, charges, work.now)
    post(work, store.patrons.borrower(work, command.patron_id), [])
    store.payments.begin(work, payment)
    return payment


def _under_way(work: Work, command: BeginPayment) -> Payment:
    for payment in store.payments.under_way(work, command.charge_ids):
        if {part.charge_id for part in payment.parts} == set(command.charge_ids):
            return payment
    raise PaymentUnderWay
