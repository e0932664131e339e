"""Record log-ins in the audit trail: those of staff and machines, and each one that failed.

The steps of a second factor are recorded in the same way: they ask for a PIN and not for a token.
"""

from dataclasses import replace

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import Refusal
from shared.audit_trail import RECORDED_ROLES, Act, record
from shared.networks import truncated
from shared.unit_of_work import Run

LOG_IN = "POST /v1/sessions"


def logging_in(run: Run, holder: Cardholder, address: str, what: str = LOG_IN) -> Run:
    """Return a run whose first transaction records the log-in, unless it is a patron's.

    It has no Idempotency-Key: a repeated log-in is a new attempt.
    """
    if holder.role not in RECORDED_ROLES:
        return run.in_steps()
    network = truncated(address)
    act = Act(holder.id, [holder.role], what, [], network, run.origin.correlation_id)
    return run.because_of(replace(run.origin, act=act))


async def record_failure(
    run: Run, card_digest: str, address: str, refusal: Refusal, what: str = LOG_IN
) -> None:
    """Record a log-in that was refused, with the id of the account if the card has a holder."""
    holder = await store.holder_of_card(run.database, card_digest)
    act = Act(
        by=holder.id if holder else "",
        roles=[holder.role] if holder else [],
        act=f"{what} ({refusal.code})",
        address=truncated(address),
        correlation_id=run.origin.correlation_id,
    )
    await record(run.database, act)
