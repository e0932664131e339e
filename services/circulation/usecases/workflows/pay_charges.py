"""Pay charges, asking the provider, which may not answer, between the transactions."""

from datetime import date

import structlog

from services.circulation import store
from services.circulation.domain.payment import Payment, PaymentState, Step
from services.circulation.domain.refusals.money import (
    NoSuchPayment,
    PaymentDeclined,
    PaymentNotReceived,
    PaymentOver,
    PaymentUnderWay,
)
from services.circulation.provider import Provider, ProviderAway
from services.circulation.usecases.commands.advance_payment import AdvancePayment, advance_payment
from services.circulation.usecases.commands.begin_payment import BeginPayment, begin_payment
from shared.failpoint import failpoint
from shared.unit_of_work import Run

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
        for left in await store.payments.find_under_way_for(run.database, command.charge_ids):
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
    payment = await store.payments.find(run.database, payment_id)
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
            payment = await run(advance_payment, AdvancePayment(payment.id, step, on))
    return await _carry_out(run, provider, payment, on)


async def _as_ended(run: Run, payment_id: str, on: date) -> Payment:
    """Return a payment that another call may have ended, and the events of that in `run`."""
    payment = await _find(run, payment_id)
    if payment.state is PaymentState.PAID:
        payment = await run(advance_payment, AdvancePayment(payment.id, Step.SETTLE, on))
    return payment


async def _carry_out(run: Run, provider: Provider, payment: Payment, on: date) -> Payment:
    """Complete the payment. Raises ProviderAway, or PaymentOver if it was released."""
    if payment.state is PaymentState.PENDING:
        accepted = await provider.authorise(payment.id, payment.cents)
        failpoint("payment.authorised")
        step = Step.AUTHORISE if accepted else Step.RELEASE
        payment = await run(advance_payment, AdvancePayment(payment.id, step, on))
    if payment.state is PaymentState.AUTHORISED:
        taken = await provider.capture(payment.id)
        failpoint("payment.captured")
        step = Step.SETTLE if taken else Step.RELEASE
        payment = await run(advance_payment, AdvancePayment(payment.id, step, on))
    return payment
