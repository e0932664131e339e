"""Log in with a card and its PIN."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.accounts import store
from services.accounts.domain.lockout import Source, StrangersLimits
from services.accounts.domain.refusals import AccountDisabled, BadCredentials
from services.accounts.domain.session import Session, surplus
from services.accounts.domain.source import known_device, stranger_at, token_after_log_in
from services.accounts.settings import Settings
from services.accounts.usecases.check_pin import rehashed
from services.accounts.usecases.confirm_pin import confirm_pin
from services.accounts.usecases.end_sessions import end
from services.accounts.usecases.record_log_in import logging_in
from services.accounts.usecases.sign_session import signed
from services.accounts.usecases.sign_token import SignedToken
from shared.ids import new_id
from shared.mongo import Database
from shared.networks import caller_at
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class LogIn:
    """A login attempt with a card, given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    pin: str = field(repr=False)
    at: datetime
    address: str = field(default="", repr=False)
    """Network address of the client."""
    device_token: str = field(default="", repr=False)
    """Token that the client got from its last log-in, if it kept that."""


@dataclass(frozen=True)
class OpenSession:
    """A session for an account whose PIN was confirmed."""

    account_id: str
    confirmed_pin: int
    """Version of the PIN that was confirmed; if it has been replaced since, none is opened."""
    pin_hash: str | None = field(repr=False)
    """Hash of this PIN with today's parameters; None: the stored one has them."""
    opened_at: datetime
    expires_at: datetime


async def log_in(run: Run, settings: Settings, command: LogIn) -> SignedToken:
    """Open a session for the card's holder.

    Raises as `open_session`, or StrangersWait, Locked, BadCredentials or Busy.
    """
    source = await _source(run.database, settings, command)
    limits = StrangersLimits(settings.wrong_pins_per_network, settings.wrong_pins_of_strangers)
    card, pin, at = command.card_digest, command.pin, command.at
    holder = await confirm_pin(run.database, card, pin, at, source=source, limits=limits)
    if holder is None:
        raise BadCredentials
    pin_hash = await rehashed(pin, holder.pin_hash)
    lifetime = timedelta(hours=settings.token_hours(holder.role))
    session = await logging_in(run, holder, command.address)(
        open_session,
        OpenSession(holder.id, holder.pin_version, pin_hash, at, at + lifetime),
    )
    token = await signed(run.database, settings, session, holder, at)
    kept = (command.device_token, card, holder.pin_version, settings.card_key, at)
    return replace(token, device_token=token_after_log_in(*kept))


async def _source(db: Database, settings: Settings, command: LogIn) -> Source:
    """Return the known device that the attempt comes from, else the network of a stranger."""
    holder = await store.holder_of_card(db, command.card_digest)
    pin_version = holder.pin_version if holder else 0
    kept = (command.device_token, command.card_digest, pin_version, settings.card_key, command.at)
    device = known_device(*kept)
    if device:
        return Source("device", device)
    return stranger_at(caller_at(command.address), settings.card_key)


async def open_session(work: Work, command: OpenSession) -> Session:
    """Store a new session. Raises AccountDisabled, or BadCredentials if the PIN has changed.

    The cardholder is saved too. So if somebody changes the PIN or erases the patron at the same
    time, one of the two transactions is retried: the change finds the session, or the log-in the
    change.
    """
    holder = await store.cardholder(work, command.account_id)
    if holder is None or holder.pin_version != command.confirmed_pin:
        raise BadCredentials
    if holder.disabled_at is not None:
        raise AccountDisabled
    pin_hash = command.pin_hash or holder.pin_hash
    saved = replace(holder, pin_hash=pin_hash, version=holder.version + 1)
    await store.save_cardholders(work, saved)
    await end(work, surplus(await store.sessions.of_account(work, holder.id)))
    opened_at = command.opened_at
    session = Session(new_id(), holder.id, opened_at, command.expires_at, renewed_at=opened_at)
    await store.sessions.add(work, session)
    return session
