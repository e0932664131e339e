"""Refund money that was paid for a charge beyond what is charged now."""

from datetime import date

import structlog

from services.circulation import store
from services.circulation.domain.payment import Refund
from services.circulation.domain.refusals.money import NoSuchPayment
from services.circulation.provider import Provider, ProviderAway
from services.circulation.usecases.commands.begin_refund import BeginRefund, begin_refund
from services.circulation.usecases.commands.settle_refund import SettleRefund, settle_refund
from shared.unit_of_work import Run

log = structlog.get_logger()


async def refund_charge(run: Run, provider: Provider | None, command: BeginRefund) -> Refund:
    """Refund the charge; return the refund, still under way if the provider does not answer.

    Raises a refusal of `begin_refund`.
    """
    begun = await run(begin_refund, command)
    if provider is None or begun.settled:
        return begun  # given in cash, or begun while there was a provider
    refund = await store.payments.find_refund(run.database, begun.id)
    if refund is None:
        raise NoSuchPayment
    steps = run.in_steps()
    refund = await give_refund(steps, provider, refund, command.on)
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
    return await run(settle_refund, SettleRefund(refund.id, on))
