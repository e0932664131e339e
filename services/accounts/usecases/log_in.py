"""Log in with a card and its PIN."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.accounts import store
from services.accounts.domain.refusals import BadCredentials
from services.accounts.domain.session import Session, surplus
from services.accounts.settings import Settings
from services.accounts.usecases.confirm_pin import confirm_pin
from services.accounts.usecases.end_sessions import end
from services.accounts.usecases.record_log_in import logging_in
from services.accounts.usecases.sign_session import signed
from services.accounts.usecases.sign_token import SignedToken
from shared.ids import new_id
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class LogIn:
    """A login attempt with a card, given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime
    address: str = ""
    """Network from which the attempt came, for the audit trail."""


@dataclass(frozen=True)
class OpenSession:
    """A session for an account whose PIN was confirmed."""

    account_id: str
    confirmed_hash: str = field(repr=False)
    """Hash of the PIN that was confirmed: if it has been replaced since, no session is opened."""
    opened_at: datetime
    expires_at: datetime


async def log_in(run: Run, settings: Settings, command: LogIn) -> SignedToken:
    """Open a session for the card's holder. Raises Locked, BadCredentials or Busy."""
    holder = await confirm_pin(run.database, command.card_digest, command.pin, command.at)
    if holder is None:
        raise BadCredentials
    lifetime = timedelta(hours=settings.token_hours(holder.role))
    session = await logging_in(run, holder, command.address)(
        open_session,
        OpenSession(holder.id, holder.pin_hash, command.at, command.at + lifetime),
    )
    return await signed(run.database, settings, session, holder, command.at)


async def open_session(work: Work, command: OpenSession) -> Session:
    """Store a new session. Raises BadCredentials if the account or its PIN has changed.

    The cardholder is saved too. So if somebody changes the PIN or erases the patron at the same
    time, one of the two transactions is retried: the change finds the session, or the log-in the
    change.
    """
    holder = await store.cardholder(work, command.account_id)
    if holder is None or holder.pin_hash != command.confirmed_hash:
        raise BadCredentials
    await store.save_cardholders(work, replace(holder, version=holder.version + 1))
    await end(work, surplus(await store.sessions.of_account(work, holder.id)))
    opened_at = command.opened_at
    session = Session(new_id(), holder.id, opened_at, command.expires_at, renewed_at=opened_at)
    await store.sessions.add(work, session)
    return session
