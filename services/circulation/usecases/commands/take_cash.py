"""Take cash: record that a patron has paid charges at a library's desk."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain import payment as rules
from services.circulation.domain.ledger import Occasion, pay
from services.circulation.domain.payment import Payment
from services.circulation.domain.refusals.money import PaymentUnderWay
from services.circulation.usecases.steps.own_charges import own_charges
from services.circulation.usecases.steps.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class TakeCash:
    """Command to record a payment of a patron's charges in full; `by` is the member of staff."""

    charge_ids: tuple[str, ...]
    patron_id: str
    cents: int
    """Cents that were taken."""
    by: str
    on: date


async def take_cash(work: Work, command: TakeCash) -> Payment:
    """Record the payment, which is over at once.

    Raises NoSuchCharge (also for another patron's charge), NothingToPay, AmountChanged if another
    sum is to be paid, or PaymentUnderWay if another payment or a refund of one of the charges is
    under way.
    """
    charges = await own_charges(work, command.charge_ids, command.patron_id)
    if await store.payments.claimed(work, command.charge_ids):
        raise PaymentUnderWay
    payment = rules.take_cash(
        new_id(), command.patron_id, charges, work.now, cents=command.cents, by=command.by
    )
    occasion = Occasion(on=command.on, at=work.now, reference=payment.id, by=command.by)
    postings = [pay(charge, charge.outstanding_cents, occasion) for charge in charges]
    await post(work, await store.patrons.borrower(work, command.patron_id), postings)
    await store.payments.add(work, payment)
    return payment
