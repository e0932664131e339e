"""Take cash for charges, and cancel a payment in cash that was a mistake."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import refusals, store
from services.circulation.charges.commands.ledger import post
from services.circulation.rules import ledger as ledger_rules
from services.circulation.rules import payment as payment_rules
from services.circulation.rules.charge import Charge
from services.circulation.rules.ledger import Occasion, pay
from services.circulation.rules.payment import Payment
from services.circulation.till.commands import book, unbook
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def own_charges(work: Work, charge_ids: Sequence[str], patron_id: str) -> list[Charge]:
    """Return these charges of a patron. Raises NoSuchCharge, also for another patron's charge."""
    charges = [store.get(work, charge_id) for charge_id in charge_ids]
    own = [charge for charge in charges if charge and charge.patron_id == patron_id]
    if len(own) < len(charges):
        raise refusals.NoSuchCharge
    return own


def take_cash(
    work: Work,
    *,
    charge_ids: tuple[str, ...],
    patron_id: str,
    cents: int,
    by: str,
    on: date,
    shown_cents: int | None = None,
    branch: str = "",
    till: str = "",
) -> Payment:
    """Record that a patron paid charges in cash; `by` is the member of staff who took it.

    It is booked in the open till of this name at the library `branch`, or outside of tills.

    `cents` were taken; the last charges may be paid in part, or not at all. `shown_cents` were to
    be paid as the member of staff was shown them, if known.

    Raises NoSuchCharge (also for another patron's charge), NothingToPay, AmountChanged if less than
    was taken or another sum than was shown is to be paid, or PaymentUnderWay if another payment or
    a refund of one of the charges is under way.
    """
    charges = own_charges(work, charge_ids, patron_id)
    if store.claimed(work, charge_ids):
        raise refusals.PaymentUnderWay
    payment = payment_rules.take_cash(
        new_id(),
        patron_id,
        charges,
        work.now,
        cents=cents,
        by=by,
        shown_cents=shown_cents,
    )
    occasion = Occasion(on=on, at=work.now, reference=payment.id, by=by)
    by_id = {charge.id: charge for charge in charges}
    postings = [pay(by_id[part.charge_id], part.cents, occasion) for part in payment.parts]
    post(work, borrowers_store.borrower(work, patron_id), postings)
    moved = [(by_id[part.charge_id].kind.value, part.cents) for part in payment.parts]
    payment = replace(payment, till_id=book(work, branch, till, moved, on))
    store.add_payment(work, payment)
    return payment


def cancel_cash(
    work: Work, *, payment_id: str, reason: str, by: str, on: date, may_after_closing: bool
) -> Payment:
    """Cancel a payment in cash that was recorded by mistake; what it paid is to be paid again.

    While its till is open, the till has its cash no more. After that only those who
    `may_after_closing` cancel it, and the closed till stays as it was counted.

    Raises NoSuchPayment, TillClosed, PaymentUnderWay or a refusal of `payment.cancel`.
    """
    payment = or_refuse(store.get_payment(work, payment_id), refusals.NoSuchPayment)
    ids = [part.charge_id for part in payment.parts]
    charges = {charge.id: charge for charge in store.some(work, ids)}
    borrower = borrowers_store.borrower(work, payment.patron_id)
    if len(charges) < len(ids) or borrower.closed:
        raise refusals.NoSuchPayment
    kept = {
        one: payment_rules.cash_kept(one, store.payments_of(work, one), store.refunds_of(work, one))
        for one in ids
    }
    changed = payment_rules.cancel(payment, kept, by=by, at=work.now, reason=reason)
    if store.claimed(work, ids):
        raise refusals.PaymentUnderWay
    moved = [(charges[part.charge_id].kind.value, -part.cents) for part in payment.parts]
    left_till = unbook(work, payment.till_id, moved, on)
    if not left_till and not may_after_closing:
        raise refusals.TillClosed
    occasion = Occasion(on=on, at=work.now, reference=payment.id, by=by, reason=reason)
    postings = [
        ledger_rules.cancel_payment(charges[part.charge_id], part.cents, occasion)
        for part in payment.parts
    ]
    post(work, borrower, postings)
    cancelled = replace(changed, left_till=left_till)
    store.save_payment(work, cancelled)
    return cancelled
