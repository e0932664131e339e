"""Send the receipts of payments by e-mail."""

from datetime import date

from services.circulation.charges import events, store
from services.circulation.charges.refusals import NoSuchPayment
from services.circulation.rules import payment as payment_rules
from services.circulation.rules.payment import Payment
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def request_receipt(work: Work, payment_id: str, on: date) -> Payment:
    """Request the receipt of a payment by e-mail, once a day; return the payment.

    Raises NoSuchPayment or NoReceipt.
    """
    payment = or_refuse(store.get_payment(work, payment_id), NoSuchPayment)
    asked = payment_rules.ask_for_receipt(payment, on)
    if asked is payment:
        return payment
    charges = store.some(work, {part.charge_id for part in payment.parts})
    by_id = {charge.id: charge for charge in charges}
    work.record(events.receipt_requested(asked, by_id, store.titles_of(work, charges)))
    store.save_payment(work, asked)
    return asked
