"""Pay charges and refund them, in cash or by asking the provider between transactions."""

from dataclasses import dataclass, replace
from datetime import date

import structlog

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import refusals, store
from services.circulation.charges.clients import HostedPage, Provider, ProviderAway
from services.circulation.charges.commands.cash import own_charges
from services.circulation.charges.commands.ledger import post, show_posted
from services.circulation.refusals import NoRefundDue, PaymentOver
from services.circulation.rules import ledger as ledger_rules
from services.circulation.rules import payment as payment_rules
from services.circulation.rules.ledger import Occasion, Posting, PostingKind, pay
from services.circulation.rules.payment import (
    UNDER_WAY,
    Payment,
    PaymentState,
    Refund,
    Step,
    take_step,
)
from services.circulation.till.commands import book
from shared.failpoint import failpoint
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Run, Work


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
    raise refusals.PaymentUnderWay


def advance_payment(work: Work, payment_id: str, step: Step, on: date) -> Payment:
    """Apply the step; a repeated step changes nothing, and shows what the first one changed.

    Once the money was taken, the charges are paid. Raises NoSuchPayment or PaymentOver.
    """
    payment = or_refuse(store.get_payment(work, payment_id), refusals.NoSuchPayment)
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


def note_page(work: Work, payment_id: str, page: HostedPage) -> Payment:
    """Note the provider's page for a payment. Raises NoSuchPayment or PaymentOver."""
    payment = or_refuse(store.get_payment(work, payment_id), refusals.NoSuchPayment)
    noted = payment_rules.open_page(payment, page.provider_id, page.url)
    if noted is not payment:
        store.save_payment(work, noted)
    return noted


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
        raise refusals.PaymentDeclined
    if payment.state is PaymentState.NOT_RECEIVED:
        raise refusals.PaymentNotReceived
    return payment


async def _pay(
    run: Run, steps: Run, provider: Provider, command: BeginPayment, on: date
) -> Payment:
    try:
        begun = await run(begin_payment, command)
    except refusals.PaymentUnderWay:
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
    without `send_again`, which closes a page, too. If a request arrives after all, money is
    reserved and never taken. Raises PaymentUnderWay if a page can't be closed.
    """
    try:
        payment = await _resume(run, provider, payment, on, send_again=send_again)
    except ProviderAway:
        log.warning("provider away", payment_id=payment.id)
        return False
    except PaymentOver:
        return False  # another replica ended it meanwhile
    return payment.state not in UNDER_WAY


async def look_at_page(
    run: Run, provider: Provider, payment_id: str, on: date, *, close: bool = False
) -> Payment:
    """Ask the provider about the page of a payment, or `close` it; return the payment.

    What was taken on the page of a payment that has ended is given back. Raises NoSuchPayment, or
    PaymentUnderWay if the page can't be closed.
    """
    payment = await _find(run, payment_id)
    steps = run.in_steps()
    if payment.state in UNDER_WAY:
        await resume_payment(steps, provider, payment, on, send_again=not close)
    elif payment.provider_id and payment.state is not PaymentState.PAID:
        try:
            if await provider.standing(payment) == "captured":
                await provider.refund(payment, f"{payment.id}:late", payment.cents)
        except ProviderAway:
            log.warning("provider away", payment_id=payment.id)
    payment = await _as_ended(steps, payment.id, on)
    run.events.extend(steps.events)
    return payment


async def _find(run: Run, payment_id: str) -> Payment:
    return or_refuse(await store.find_payment(run.database, payment_id), refusals.NoSuchPayment)


async def _resume(
    run: Run, provider: Provider, payment: Payment, on: date, *, send_again: bool = True
) -> Payment:
    """Do what `resume_payment` does; return the payment. Raises ProviderAway or PaymentOver."""
    if payment.state is PaymentState.PENDING:
        standing = await provider.standing(payment)
        if standing == "open" and not send_again:
            await provider.release(payment)
            standing = await provider.standing(payment)
            if standing == "open":
                raise refusals.PaymentUnderWay
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
        if payment.provider_id:
            standing = await provider.standing(payment)
            if standing == "open":
                return payment
            accepted = standing in ("authorised", "captured")
        else:
            answer = await provider.authorise(payment)
            failpoint("payment.authorised")
            if isinstance(answer, HostedPage):
                return await run(note_page, payment.id, answer)
            accepted = answer
        step = Step.AUTHORISE if accepted else Step.RELEASE
        payment = await run(advance_payment, payment.id, step, on)
    if payment.state is PaymentState.AUTHORISED:
        taken = await provider.capture(payment)
        failpoint("payment.captured")
        step = Step.SETTLE if taken else Step.RELEASE
        payment = await run(advance_payment, payment.id, step, on)
    return payment


def begin_refund(
    work: Work,
    *,
    charge_id: str,
    by: str,
    on: date,
    has_provider: bool,
    cents: int | None = None,
    branch: str = "",
    till: str = "",
) -> Refund:
    """Begin a refund by `by`, of the staff; if one for the charge is under way, return that one.

    What was paid in cash is given back in cash, so this refund is over at once. A charge that was
    paid in both ways has two refunds, the first in cash, which is booked in the open till of this
    name at the library `branch`. `cents` were shown to the member of staff, if known.

    Raises NoSuchCharge, NoRefundDue, AmountChanged if other cents are due back,
    NoPaymentProvider, or PaymentUnderWay if a payment of the charge is under way.

    The patron's counts are written for the reason that `begin_payment` gives.
    """
    charge = or_refuse(store.get(work, charge_id), refusals.NoSuchCharge)
    if store.claimed(work, [charge.id]):
        return or_refuse(store.refund_under_way(work, charge.id), refusals.PaymentUnderWay)
    paid = store.payments_of(work, charge.id)
    given = store.refunds_of(work, charge.id)
    found = or_refuse(payment_rules.payment_to_refund(charge.id, paid, given), NoRefundDue)
    payment, kept = found
    refund = payment_rules.begin_refund(
        new_id(), charge, payment, kept, work.now, by=by, cents=cents
    )
    borrower = borrowers_store.borrower(work, charge.patron_id)
    if refund.in_cash:
        occasion = Occasion(on=on, at=work.now, reference=refund.id, by=by)
        post(work, borrower, [ledger_rules.refund(charge, refund.cents, occasion)])
        moved = [(charge.kind.value, refund.cents)]
        till_id = book(work, branch, till, moved, on, given=True)
        refund = replace(refund, till_id=till_id)
        store.add_refund(work, refund)
    elif has_provider:
        post(work, borrower, [])
        store.begin_refund(work, refund)
    else:
        raise refusals.NoPaymentProvider
    return refund


def settle_refund(work: Work, refund_id: str, on: date) -> Refund:
    """Settle the refund; a repeated call changes nothing, and shows what the first one changed.

    Raises NoSuchPayment.
    """
    refund = store.get_refund(work, refund_id)
    charge = store.get(work, refund.charge_id) if refund else None
    if refund is None or charge is None:
        raise refusals.NoSuchPayment
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
    run: Run,
    provider: Provider | None,
    *,
    charge_id: str,
    by: str,
    on: date,
    cents: int | None,
    branch: str = "",
    till: str = "",
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
        branch=branch,
        till=till,
    )
    if provider is None or begun.settled:
        return begun  # given in cash, or begun while there was a provider
    refund = or_refuse(await store.find_refund(run.database, begun.id), refusals.NoSuchPayment)
    steps = run.in_steps()
    refund = await give_refund(steps, provider, refund, on)
    run.events.extend(steps.events)
    return refund


async def give_refund(run: Run, provider: Provider, refund: Refund, on: date) -> Refund:
    """Give the refund if the provider answers. The provider gives a repeated refund once."""
    if not refund.settled:
        try:
            payment = await _find(run, refund.payment_id)
            await provider.refund(payment, refund.id, refund.cents)
        except ProviderAway:
            log.warning("provider away", refund_id=refund.id)
            return refund
    # Also if it is settled: this call then returns the events of what settled it.
    return await run(settle_refund, refund.id, on)
