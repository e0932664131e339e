"""Pay charges: between the transactions the provider is asked, which may not answer."""

from datetime import date

import structlog

from services.circulation import store
from services.circulation.domain.payment import Payment, PaymentState, Step
from services.circulation.domain.refusals import NoSuchPayment, PaymentDeclined, PaymentOver
from services.circulation.provider import Provider, ProviderAway
from services.circulation.usecases.advance_payment import AdvancePayment, advance_payment
from services.circulation.usecases.begin_payment import BeginPayment, begin_payment
from shared.failpoint import failpoint
from shared.unit_of_work import Run

log = structlog.get_logger()


async def pay_charges(run: Run, provider: Provider, command: BeginPayment, on: date) -> Payment:
    """The payment: paid, or still under way where the provider does not answer.

    Raises PaymentDeclined, or what refuses to begin one. Called again with its Idempotency-Key, it
    goes on with the same payment.
    """
    begun = await run(begin_payment, command)
    payment = await store.payments.find(run.database, begun.id)
    if payment is None:
        raise NoSuchPayment
    # Not under the key: each step asks how far the payment has come.
    steps = run.in_steps()
    try:
        payment = await _carry_out(steps, provider, payment, on)
    except ProviderAway:
        log.warning("provider away", payment_id=payment.id)
        payment = await store.payments.find(run.database, begun.id) or payment
    run.events.extend(steps.events)
    if payment.state is PaymentState.DECLINED:
        raise PaymentDeclined
    return payment


async def resume_payment(run: Run, provider: Provider, payment: Payment, on: date) -> bool:
    """Whether a payment that was left under way is over now. The provider says what came of it.

    One that the provider does not know was never asked for, or is lost on its way: it is released.
    Should it reach the provider after all, money is reserved and never taken.
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
        return False  # another replica has ended it in this moment
    return True


async def _carry_out(run: Run, provider: Provider, payment: Payment, on: date) -> Payment:
    """The payment when it is over. Raises ProviderAway, or PaymentOver if it was released."""
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
