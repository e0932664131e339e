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
    """Command to record a payment of a patron's charges; `by` is the member of staff."""

    charge_ids: tuple[str, ...]
    patron_id: str
    cents: int
    """Cents that were taken; the last charges may be paid in part, or not at all."""
    by: str
    on: date
    shown_cents: int | None = None
    """Cents to be paid as the member of staff was shown them, if known."""


def take_cash(work: Work, command: TakeCash) -> Payment:
    """Record the payment, which is over at once.

    Raises NoSuchCharge (also for another patron's charge), NothingToPay, AmountChanged if less than
    was taken or another sum than was shown is to be paid, or PaymentUnderWay if another payment or
    a refund of one of the charges is under way.
    """
    charges = own_charges(work, command.charge_ids, command.patron_id)
    if store.payments.claimed(work, command.charge_ids):
        raise PaymentUnderWay
    payment = rules.take_cash(
        new_id(),
        command.patron_id,
        charges,
        work.now,
        cents=command.cents,
        by=command.by,
        shown_cents=command.shown_cents,
    )
    occasion = Occasion(on=command.on, at=work.now, reference=payment.id, by=command.by)
    by_id = {charge.id: charge for charge in charges}
    postings = [pay(by_id[part.charge_id], part.cents, occasion) for part in payment.parts]
    post(work, store.patrons.borrower(work, command.patron_id), postings)
    store.payments.add(work, payment)
    return payment
