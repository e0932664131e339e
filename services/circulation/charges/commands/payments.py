"""Pay charges and refund them, in cash or by asking the provider between transactions."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import structlog

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import store
from services.circulation.charges.clients import Provider, ProviderAway
from services.circulation.charges.commands.ledger import post, show_posted
from services.circulation.refusals import (
    NoPaymentProvider,
    NoRefundDue,
    NoSuchCharge,
    NoSuchPayment,
    PaymentDeclined,
    PaymentNotReceived,
    PaymentOver,
    PaymentUnderWay,
)
from services.circulation.rules import ledger as ledger_rules
from services.circulation.rules import payment as payment_rules
from services.circulation.rules.charge import Charge
from services.circulation.rules.ledger import Occasion, Posting, PostingKind, pay
from services.circulation.rules.payment import Payment, PaymentState, Refund, Step, take_step
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.unit_of_work import Run, Work


def own_charges(work: Work, charge_ids: Sequence[str], patron_id: str) -> list[Charge]:
    """Return these charges of a patron. Raises NoSuchCharge, also for another patron's charge."""
    charges = [store.get(work, charge_id) for charge_id in charge_ids]
    own = [charge for charge in charges if charge and charge.patron_id == patron_id]
    if len(own) < len(charges):
        raise NoSuchCharge
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
) -> Payment:
    """Record that a patron paid charges in cash; `by` is the member of staff who took it.

    `cents` were taken; the last charges may be paid in part, or not at all. `shown_cents` were to
    be paid as the member of staff was shown them, if known.

    Raises NoSuchCharge (also for another patron's charge), NothingToPay, AmountChanged if less than
    was taken or another sum than was shown is to be paid, or PaymentUnderWay if another payment or
    a refund of one of the charges is under way.
    """
    charges = own_charges(work, charge_ids, patron_id)
    if store.claimed(work, charge_ids):
        raise PaymentUnderWay
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
    store.add_payment(work, payment)
    return payment


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
    if store.claimed(work, command.charge_ids):
        return _under_way(work, command)
    payment = payment_rules.begin_payment(new_id(), command.patron_id, charges, work.now)
    post(work, borrowers_store.borrower(work, command.patron_id), [])
    store.begin_payment(work, payment)
    return payment


def _under_way(work: Work, command: BeginPayment) -> Payment:
    for payment in store.payments_under_way(work, command.charge_ids):
        if {part.charge_id for part in payment.parts} == set(command.charge_ids):
            return payment
    raise PaymentUnderWay


def advance_payment(work: Work, payment_id: str, step: Step, on: date) -> Payment:
    """Apply the step; a repeated step changes nothing, and shows what the first one changed.

    Once the money was taken, the charges are paid. Raises NoSuchPayment or PaymentOver.
    """
    payment = store.get_payment(work, payment_id)
    if payment is None:
        raise NoSuchPayment
    advanced = take_step(payment, step)
    if advanced is payment:
        if payment.state is PaymentState.PAID:
            paid = [part.charge_id for part in payment.parts]
            show_posted(work, PostingKind.PAID, payment.id, payment.patron_id, paid)
        return payment
    if advanced.state is PaymentState.PAID:
        postings = _paid(work, payment, on)
        post(work, borrowers_store.borrower(work, payment.patron_id), postings)
    store.save_payment(work, advanced)
    return advanced


def _paid(work: Work, payment: Payment, on: date) -> list[Posting]:
    occasion = Occasion(on=on, at=work.now, reference=payment.id, by=payment.patron_id)
    postings = []
    for part in payment.parts:
        charge = store.get(work, part.charge_id)
        if charge is None:
            raise ValueError(f"payment {payment.id} is for a charge that is gone")
        postings.append(pay(charge, part.cents, occasion))
    return postings


log = structlog.get_logger()


async def pay_charges(run: Run, provider: Provider, command: BeginPayment, on: date) -> Payment:
    """Pay the charges; return the payment, still under way if the provider does not answer.

    Raises PaymentDeclined, PaymentNotReceived or a refusal of `begin_payment`. A repeated call,
    with the same Idempotency-Key or for the same charges, continues the same payment. A different
    payment that is under way for any of the charges is completed first.
    """
    # Without the Idempotency-Key: each step checks how far the payment has come.
    steps = run.in_steps()
    try:
        payment = await _pay(run, steps, provider, command, on)
    finally:
        run.events.extend(steps.events)  # if it is refused, another payment may have ended before
    if payment.state is PaymentState.DECLINED:
        raise PaymentDeclined
    if payment.state is PaymentState.NOT_RECEIVED:
        raise PaymentNotReceived
    return payment


async def _pay(
    run: Run, steps: Run, provider: Provider, command: BeginPayment, on: date
) -> Payment:
    try:
        begun = await run(begin_payment, command)
    except PaymentUnderWay:
        for left in await store.find_payments_under_way_for(run.database, command.charge_ids):
            await resume_payment(steps, provider, left, on, send_again=False)
        begun = await run(begin_payment, command)
    payment = await _as_ended(steps, begun.id, on)
    try:
        try:
            payment = await _carry_out(steps, provider, payment, on)
        except ProviderAway:
            payment = await _resume(steps, provider, await _find(run, begun.id), on)
    except ProviderAway:
        log.warning("provider away", payment_id=payment.id)
        payment = await _as_ended(steps, begun.id, on)
    except PaymentOver:  # another call or the job ended it meanwhile
        payment = await _as_ended(steps, begun.id, on)
    return payment


async def resume_payment(
    run: Run, provider: Provider, payment: Payment, on: date, *, send_again: bool = True
) -> bool:
    """Complete a payment that was left under way; return whether this call ended it.

    The provider knows how far it has come. With `send_again`, a payment that the provider does not
    know is sent again under its id, which counts once. It is dropped if that has no answer, or
    without `send_again`. If a request arrives after all, money is reserved and never taken.
    """
    try:
        await _resume(run, provider, payment, on, send_again=send_again)
    except ProviderAway:
        log.warning("provider away", payment_id=payment.id)
        return False
    except PaymentOver:
        return False  # another replica ended it meanwhile
    return True


async def _find(run: Run, payment_id: str) -> Payment:
    payment = await store.find_payment(run.database, payment_id)
    if payment is None:
        raise NoSuchPayment
    return payment


async def _resume(
    run: Run, provider: Provider, payment: Payment, on: date, *, send_again: bool = True
) -> Payment:
    """Do what `resume_payment` does; return the payment. Raises ProviderAway or PaymentOver."""
    if payment.state is PaymentState.PENDING:
        standing = await provider.standing(payment.id)
        if standing == "unknown" and send_again:
            try:
                return await _carry_out(run, provider, payment, on)
            except ProviderAway:
                payment = await _find(run, payment.id)
                return await _resume(run, provider, payment, on, send_again=False)
        if standing in ("unknown", "declined"):
            step = Step.DROP if standing == "unknown" else Step.RELEASE
            payment = await run(advance_payment, payment.id, step, on)
    return await _carry_out(run, provider, payment, on)


async def _as_ended(run: Run, payment_id: str, on: date) -> Payment:
    """Return a payment that another call may have ended, and the events of that in `run`."""
    payment = await _find(run, payment_id)
    if payment.state is PaymentState.PAID:
        payment = await run(advance_payment, payment.id, Step.SETTLE, on)
    return payment


async def _carry_out(run: Run, provider: Provider, payment: Payment, on: date) -> Payment:
    """Complete the payment. Raises ProviderAway, or PaymentOver if it was released."""
    if payment.state is PaymentState.PENDING:
        accepted = await provider.authorise(payment.id, payment.cents)
        failpoint("payment.authorised")
        step = Step.AUTHORISE if accepted else Step.RELEASE
        payment = await run(advance_payment, payment.id, step, on)
    if payment.state is PaymentState.AUTHORISED:
        taken = await provider.capture(payment.id)
        failpoint("payment.captured")
        step = Step.SETTLE if taken else Step.RELEASE
        payment = await run(advance_payment, payment.id, step, on)
    return payment


def begin_refund(
    work: Work, *, charge_id: str, by: str, on: date, has_provider: bool, cents: int | None = None
) -> Refund:
    """Begin a refund by `by`, of the staff; if one for the charge is under way, return that one.

    What was paid in cash is given back in cash, so this refund is over at once. A charge that was
    paid in both ways has two refunds, the first in cash. `cents` were shown to the member of
    staff, if known.

    Raises NoSuchCharge, NoRefundDue, AmountChanged if other cents are due back,
    NoPaymentProvider, or PaymentUnderWay if a payment of the charge is under way.

    The patron's counts are written for the reason that `begin_payment` gives.
    """
    charge = store.get(work, charge_id)
    if charge is None:
        raise NoSuchCharge
    if store.claimed(work, [charge.id]):
        under_way = store.refund_under_way(work, charge.id)
        if under_way is None:
            raise PaymentUnderWay
        return under_way
    paid = store.payments_of(work, charge.id)
    given = store.refunds_of(work, charge.id)
    found = payment_rules.payment_to_refund(charge.id, paid, given)
    if found is None:
        raise NoRefundDue
    payment, kept = found
    refund = payment_rules.begin_refund(
        new_id(), charge, payment, kept, work.now, by=by, cents=cents
    )
    borrower = borrowers_store.borrower(work, charge.patron_id)
    if refund.in_cash:
        occasion = Occasion(on=on, at=work.now, reference=refund.id, by=by)
        post(work, borrower, [ledger_rules.refund(charge, refund.cents, occasion)])
        store.add_refund(work, refund)
    elif has_provider:
        post(work, borrower, [])
        store.begin_refund(work, refund)
    else:
        raise NoPaymentProvider
    return refund


def settle_refund(work: Work, refund_id: str, on: date) -> Refund:
    """Settle the refund; a repeated call changes nothing, and shows what the first one changed.

    Raises NoSuchPayment.
    """
    refund = store.get_refund(work, refund_id)
    charge = store.get(work, refund.charge_id) if refund else None
    if refund is None or charge is None:
        raise NoSuchPayment
    settled = payment_rules.settle_refund(refund)
    if settled is refund:
        show_posted(work, PostingKind.REFUNDED, refund.id, refund.patron_id, [charge.id])
        return refund
    occasion = Occasion(on=on, at=work.now, reference=refund.id, by=refund.by)
    borrower = borrowers_store.borrower(work, refund.patron_id)
    post(work, borrower, [ledger_rules.refund(charge, refund.cents, occasion)])
    store.save_refund(work, settled)
    return settled


async def refund_charge(
    run: Run, provider: Provider | None, *, charge_id: str, by: str, on: date, cents: int | None
) -> Refund:
    """Refund the charge; return the refund, still under way if the provider does not answer.

    Raises a refusal of `begin_refund`.
    """
    begun = await run(
        begin_refund,
        charge_id=charge_id,
        by=by,
        on=on,
        has_provider=provider is not None,
        cents=cents,
    )
    if provider is None or begun.settled:
        return begun  # given in cash, or begun while there was a provider
    refund = await store.find_refund(run.database, begun.id)
    if refund is None:
        raise NoSuchPayment
    steps = run.in_steps()
    refund = await give_refund(steps, provider, refund, on)
    run.events.extend(steps.events)
    return refund


async def give_refund(run: Run, provider: Provider, refund: Refund, on: date) -> Refund:
    """Give the refund if the provider answers. The provider gives a repeated refund once."""
    if not refund.settled:
        try:
            await provider.refund(refund.payment_id, refund.id, refund.cents)
        except ProviderAway:
            log.warning("provider away", refund_id=refund.id)
            return refund
    # Also if it is settled: this call then returns the events of what settled it.
    return await run(settle_refund, refund.id, on)
