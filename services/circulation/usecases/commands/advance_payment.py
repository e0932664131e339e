"""Advance a payment: record that its money is reserved or taken, or that none will be."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.ledger import Occasion, Posting, PostingKind, pay
from services.circulation.domain.payment import Payment, PaymentState, Step, take_step
from services.circulation.domain.refusals.money import NoSuchPayment
from services.circulation.usecases.steps.post_to_ledger import post, show_posted
from shared.unit_of_work import Work


@dataclass(frozen=True)
class AdvancePayment:
    """Command to apply a step to a payment."""

    payment_id: str
    step: Step
    on: date


def advance_payment(work: Work, command: AdvancePayment) -> Payment:
    """Apply the step; a repeated step changes nothing, and shows what the first one changed.

    Once the money was taken, the charges are paid. Raises NoSuchPayment or PaymentOver.
    """
    payment = store.payments.get(work, command.payment_id)
    if payment is None:
        raise NoSuchPayment
    advanced = take_step(payment, command.step)
    if advanced is payment:
        if payment.state is PaymentState.PAID:
            paid = [part.charge_id for part in payment.parts]
            show_posted(work, PostingKind.PAID, payment.id, payment.patron_id, paid)
        return payment
    if advanced.state is PaymentState.PAID:
        postings = _paid(work, payment, command.on)
        post(work, store.patrons.borrower(work, payment.patron_id), postings)
    store.payments.save(work, advanced)
    return advanced


def _paid(work: Work, payment: Payment, on: date) -> list[Posting]:
    occasion = Occasion(on=on, at=work.now, reference=payment.id, by=payment.patron_id)
    postings = []
    for part in payment.parts:
        charge = store.charges.get(work, part.charge_id)
        if charge is None:
            raise ValueError(f"payment {payment.id} is for a charge that is gone")
        postings.append(pay(charge, part.cents, occasion))
    return postings
