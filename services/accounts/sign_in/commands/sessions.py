"""Renew and end sessions, sign their tokens, and log services in."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder
from services.accounts.keys.commands import SignedToken, current_key, sign
from services.accounts.settings import Settings
from services.accounts.sign_in import store
from services.accounts.sign_in.refusals import BadCredentials, SessionEnded
from services.accounts.sign_in.rules import Reused, Session, place_of, renewal_token, renewed
from services.registry import NAMES
from shared.assertions import Unproven, verified
from shared.contracts.accounts import SessionEnded as SessionEndedEvent
from shared.mongo import Database
from shared.unit_of_work import Run, Work

log = structlog.get_logger()


def end_session(work: Work, account_id: str, session_id: str) -> None:
    """End one session of an account; an unknown one has ended already."""
    opened = store.sessions_of(work, account_id)
    end(work, [session for session in opened if session.id == session_id])


def end_all(work: Work, account_id: str, *, but: str = "") -> None:
    """End all sessions of an account, except one.

    A use case that also saves or deletes the cardholder ends every session that was opened with the
    former PIN: opening one saves the cardholder too, so of two at once one is retried.
    """
    opened = store.sessions_of(work, account_id)
    end(work, [session for session in opened if session.id != but])


def end(work: Work, sessions: Sequence[Session]) -> None:
    """Delete the sessions, and publish that their tokens must be refused."""
    if not sessions:
        return
    store.delete_sessions(work, sessions)
    for session in sessions:
        work.record(end_of(session))


def end_of(session: Session) -> SessionEndedEvent:
    """Return the event of a session's end."""
    return SessionEndedEvent(
        session_id=session.id,
        account_id=session.account_id,
        expires_at=session.expires_at,
        version=session.version + 1,
    )


async def signed(
    db: Database,
    settings: Settings,
    session: Session,
    holder: Cardholder,
    at: datetime,
    *,
    scopes: Sequence[str] = (),
) -> SignedToken:
    """Return the tokens of a session, at `at` by the wall clock.

    Renewal tokens are derived from CARREL_RENEWAL_KEYS. Without them, or with scopes, the access
    token lasts as long as the session, and nothing renews it.
    """
    left = session.expires_at - at
    keys = "" if scopes else settings.renewal_keys
    token = sign(
        await current_key(db, settings.signing_secrets),
        settings.signing_secrets,
        sub=holder.id,
        role=session.role or holder.role,
        name=holder.name,
        issued_at=at,
        lifetime=min(left, timedelta(seconds=settings.access_token_seconds)) if keys else left,
        session_id=session.id,
        scopes=scopes,
    )
    if not keys:
        return token
    return replace(
        token,
        renewal_token=renewal_token(session, keys),
        renewal_expires_in=int(left.total_seconds()),
    )


async def renew(run: Run, settings: Settings, token: str, at: datetime) -> SignedToken:
    """Return new tokens for a renewal token, at `at` by the wall clock. Raises SessionEnded."""
    found = place_of(token, settings.renewal_keys)
    # Without the request's Idempotency-Key: a stored answer would have a secret.
    steps = run.in_steps()
    after = await steps(renew_session, *found, at) if found else None
    run.events.extend(steps.events)  # also of a session that a copied token has ended
    if after is None:
        raise SessionEnded
    return await signed(run.database, settings, *after, at)


def renew_session(
    work: Work, session_id: str, place: int, at: datetime
) -> tuple[Session, Cardholder] | None:
    """Return the session after its renewal, and its account; None if it can't be renewed.

    A token that was used before ends the session: it was copied, and nobody knows who has the
    copy. That has to be committed, so the caller refuses, and not this use case.
    """
    session = store.session(work, session_id)
    if session is None or session.expires_at <= at:
        return None
    holder = cardholders_store.cardholder(work, session.account_id)
    if holder is None:
        return None
    try:
        after = renewed(session, place, at)
    except Reused:
        end(work, [session])
        return None
    if after != session:
        store.save_session(work, after)
    return after, holder


@dataclass(frozen=True)
class AdmitService:
    """A login of a service with an assertion, at `at` by the wall clock.

    Services of an earlier release have no assertion, but a secret that they shared.
    """

    assertion: str = field(repr=False)
    at: datetime
    service: str = ""
    secret: str = field(default="", repr=False)


async def admit_service(db: Database, settings: Settings, command: AdmitService) -> SignedToken:
    """Return a token with the role `service`. Raises BadCredentials, also for a used assertion."""
    if command.secret:
        service = _admitted_by_secret(settings, command)
    else:
        service = await _admitted(db, settings, command)
    secrets = settings.signing_secrets
    return sign(
        await current_key(db, secrets),
        secrets,
        sub=service,
        role="service",
        name=service,
        issued_at=command.at,
        lifetime=timedelta(hours=settings.token_hours("service")),
    )


async def _admitted(db: Database, settings: Settings, command: AdmitService) -> str:
    """Return the service that signed the assertion. Raises BadCredentials."""
    audience = settings.issuer.service
    try:
        proof = verified(command.assertion, settings.service_keys, audience, command.at)
    except Unproven:
        raise BadCredentials from None
    if not await store.use_assertion(db, proof):
        raise BadCredentials
    return proof.service


def _admitted_by_secret(settings: Settings, command: AdmitService) -> str:
    """Return the service of an earlier release that sent the shared secret. Raises BadCredentials.

    Only for the time of an update (docs/decisions/240): any service could pass for another.
    """
    expected = settings.former_service_secret.encode()
    is_other = command.service in NAMES and command.service != settings.issuer.service
    if not (expected and is_other and hmac.compare_digest(command.secret.encode(), expected)):
        raise BadCredentials
    log.warning("service of an earlier release", admitted=command.service)
    return command.service
