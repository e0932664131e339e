"""Record in the audit trail the acts that ask for a PIN or a code and not for a token.

These are log-ins, the steps of a second factor, and new PINs by a code from an e-mail; and those of
them that failed, up to a number an hour.
"""

from dataclasses import replace

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.lockout import budgets_of_record
from services.accounts.domain.refusals import Refusal
from shared.audit_trail import Act, record
from shared.networks import truncated
from shared.unit_of_work import Run

LOG_IN = "POST /v1/sessions"


def logging_in(run: Run, holder: Cardholder, address: str, what: str = LOG_IN) -> Run:
    """Return a run whose first transaction records the log-in.

    It has no Idempotency-Key: a repeated log-in is a new attempt.
    """
    network = truncated(address)
    act = Act(holder.id, [holder.role], what, [], network, run.origin.correlation_id)
    return run.because_of(replace(run.origin, act=act))


async def record_failure(
    run: Run, card_digest: str, address: str, refusal: Refusal, what: str = LOG_IN
) -> None:
    """Record a log-in that was refused, as `record_attempt` does."""
    await record_attempt(run, card_digest, address, f"{what} ({refusal.code})")


async def record_attempt(run: Run, card_digest: str, address: str, what: str) -> None:
    """Record an act of somebody without a token, with the id of the account if there is one.

    Further ones of an hour are left out, so that nobody can fill the trail. The steps do not depend
    on whether there is such a card.
    """
    network = truncated(address)
    for budget in budgets_of_record(card_digest, network):
        if not (await store.attempts.spend(run.database, budget)).spent:
            return
    holder = await store.holder_of_card(run.database, card_digest)
    act = Act(
        by=holder.id if holder else "",
        roles=[holder.role] if holder else [],
        act=what,
        address=network,
        correlation_id=run.origin.correlation_id,
    )
    await record(run.database, act)
