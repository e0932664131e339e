"""Pay charges, asking the provider, which may not answer, between the transactions."""

from datetime import date

import structlog

from services.circulation import store
from services.circulation.domain.payment import Payment, PaymentState, Step
from services.circulation.domain.refusals.money import (
    NoSuchPayment,
    PaymentDeclined,
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

    Raises PaymentDeclined or a refusal of `begin_payment`. A repeated call, with the same
    Idempotency-Key or for the same charges, continues the same payment. A different payment that is
    under way for any of the charges is completed first.
    """
    # Without the Idempotency-Key: each step checks how far the payment has come.
    steps = run.in_steps()
    try:
        begun = await run(begin_payment, command)
    except PaymentUnderWay:
        for left in await store.payments.find_under_way_for(run.database, command.charge_ids):
            await resume_payment(steps, provider, left, on)
        begun = await run(begin_payment, command)
    payment = await _find(run, begun.id)
    try:
        payment = await _carry_out(steps, provider, payment, on)
    except ProviderAway:
        log.warning("provider away", payment_id=payment.id)
        payment = await _find(run, begun.id)
    except PaymentOver:  # another call or the job ended it meanwhile
        payment = await _find(run, begun.id)
    run.events.extend(steps.events)
    if payment.state is PaymentState.DECLINED:
        raise PaymentDeclined
    return payment


async def resume_payment(run: Run, provider: Provider, payment: Payment, on: date) -> bool:
    """Complete a payment that was left under way; return whether this call ended it.

    The provider knows how far it has come. A payment that the provider does not know is released:
    the provider was never asked, or the request was lost. If the request arrives after all, money
    is reserved and never taken.
    """
    try:
        if payment.state is PaymentState.PENDING:
            standing = await provider.standing(payment.id)
            if standing in ("unknown", "declined"):
                command = AdvancePayment(payment.id, Step.RELEASE, on)
                payment = await run(advance_payment, command)
        await _carry_out(run, provider, payment, on)
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
