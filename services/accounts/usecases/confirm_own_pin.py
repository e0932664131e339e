"""Confirm the PIN of somebody who is logged in, before they change what protects their account."""

from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.lockout import OWN_SESSION
from services.accounts.domain.refusals import Locked, WrongPin
from services.accounts.usecases.confirm_pin import confirm_pin
from services.accounts.usecases.record_log_in import record_failure
from shared.unit_of_work import Run


async def confirm_own_pin(run: Run, holder: Cardholder, pin: str) -> Cardholder:
    """Return the holder, whose PIN was right. Raises WrongPin or Locked, which is recorded."""
    try:
        confirmed = await confirm_pin(run.database, holder.card_digest, pin, source=OWN_SESSION)
        if confirmed is None:
            raise WrongPin
    except (WrongPin, Locked) as refusal:
        if (act := run.origin.act) is not None:
            await record_failure(run, holder.card_digest, act.address, refusal, act.act)
        raise
    return confirmed
