"""Renew a session: exchange its newest renewal token for new tokens."""

from dataclasses import dataclass
from datetime import datetime

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import SessionEnded
from services.accounts.domain.session import Reused, Session, place_of, renewed
from services.accounts.settings import Settings
from services.accounts.usecases.end_sessions import end
from services.accounts.usecases.sign_session import signed
from services.accounts.usecases.sign_token import SignedToken
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class RenewSession:
    """A renewal token that was verified, at `at` by the wall clock."""

    session_id: str
    place: int
    at: datetime


async def renew(run: Run, settings: Settings, token: str, at: datetime) -> SignedToken:
    """Return new tokens for a renewal token, at `at` by the wall clock. Raises SessionEnded."""
    found = place_of(token, settings.renewal_keys)
    # Without the request's Idempotency-Key: a stored answer would have a secret.
    steps = run.in_steps()
    after = await steps(renew_session, RenewSession(*found, at)) if found else None
    run.events.extend(steps.events)  # also of a session that a copied token has ended
    if after is None:
        raise SessionEnded
    return await signed(run.database, settings, *after, at)


def renew_session(work: Work, command: RenewSession) -> tuple[Session, Cardholder] | None:
    """Return the session after its renewal, and its account; None if it can't be renewed.

    A token that was used before ends the session: it was copied, and nobody knows who has the
    copy. That has to be committed, so the caller refuses, and not this use case.
    """
    session = store.sessions.get(work, command.session_id)
    if session is None or session.expires_at <= command.at:
        return None
    holder = store.cardholder(work, session.account_id)
    if holder is None:
        return None
    try:
        after = renewed(session, command.place, command.at)
    except Reused:
        end(work, [session])
        return None
    if after != session:
        store.sessions.save(work, after)
    return after, holder
