"""Log in with a card and its PIN."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_device
from services.accounts.cardholders.rules import Cardholder, SecondFactor
from services.accounts.keys.commands import SignedToken
from services.accounts.settings import Settings
from services.accounts.sign_in import store
from services.accounts.sign_in.commands.confirm_pin import confirm_pin, limits_of, logging_in
from services.accounts.sign_in.commands.hashes import rehashed
from services.accounts.sign_in.commands.second_factors import FactorKeys, after_code
from services.accounts.sign_in.commands.sessions import end, signed
from services.accounts.sign_in.refusals import (
    AccountDisabled,
    BadCredentials,
    CodeNeeded,
    FactorRequired,
    StrangersWait,
    WrongCode,
)
from services.accounts.sign_in.rules import (
    Session,
    Source,
    budget_of_new_devices,
    devices_in,
    known_device,
    remembered,
    stranger_at,
    surplus,
    token_after_log_in,
    with_device,
)
from shared.http.client_address import caller_at
from shared.ids import new_id
from shared.mongo import Database
from shared.unit_of_work import Run, Work


@dataclass(frozen=True)
class LogIn:
    """A login attempt with a card, given by its digest, at `at` by the wall clock."""

    card_digest: str = field(repr=False)
    """The digest under which the card is stored, or would be."""
    card_digests: tuple[str, ...] = field(repr=False)
    """Its digests with each key, the newest first: a device has one of them."""
    pin: str = field(repr=False)
    at: datetime
    address: str = field(default="", repr=False)
    """Network address of the client."""
    device_token: str = field(default="", repr=False)
    """Token that the client got from its last log-in, if it kept that."""
    code: str = field(default="", repr=False)
    """Code of the second factor, if one was typed."""
    only_known_devices: bool = False
    """True if the address has sent too many log-ins."""


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
    code: str = field(repr=False)
    keys: FactorKeys
    device: str = field(repr=False)
    """Digest of the device that the client is given; empty without a token."""
    alerts: bool
    """True if the holder is told, because nobody logged in with the card on this device before."""


async def log_in(run: Run, settings: Settings, command: LogIn) -> SignedToken:
    """Open a session for the card's holder.

    Raises as `open_session` or `confirmed_holder`, CodeNeeded or FactorRequired.
    """
    holder = await confirmed_holder(run.database, settings, command)
    if holder.needs_code and not command.code:
        raise CodeNeeded
    needs_factor = holder.role in settings.second_factor_roles
    if needs_factor and not holder.needs_code and holder.disabled_at is None:
        raise FactorRequired
    pin, at = command.pin, command.at
    pin_hash = await rehashed(pin, holder.pin_hash)
    cards, keys = command.card_digests, settings.device_keys
    kept = (command.device_token, cards, holder.pin_version, keys, at)
    device_token = token_after_log_in(*kept)
    device = remembered(devices_in(device_token)[0]) if device_token else ""
    lifetime = timedelta(hours=settings.token_hours(holder.role))
    recording = logging_in(run, holder, command.address)
    session = await recording(
        open_session,
        OpenSession(
            holder.id,
            holder.pin_version,
            pin_hash,
            at,
            at + lifetime,
            command.code,
            FactorKeys.of(settings),
            device,
            not known_device(*kept)
            and await _is_new_device(run.database, holder, command.device_token, device),
        ),
    )
    run.events.extend(recording.events)  # the gateway ends surplus sessions before it answers
    token = await signed(run.database, settings, session, holder, at)
    return replace(token, device_token=device_token)


async def _is_new_device(db: Database, holder: Cardholder, token: str, device: str) -> bool:
    """Return whether to tell a patron that nobody has logged in on this device before.

    After another PIN a device gets another id, and its token still names the former.
    """
    if holder.role != "patron" or not device or not holder.devices:
        return False
    brought = {device, *map(remembered, devices_in(token))}
    if brought & set(holder.devices):
        return False
    return (await store.spend(db, budget_of_new_devices(holder.card_digest))).spent


async def confirmed_holder(db: Database, settings: Settings, command: LogIn) -> Cardholder:
    """Return the holder whose PIN was typed, and whose code if any was typed.

    Raises StrangersWait, Locked, BadCredentials, WrongCode or Busy.
    """
    keys = FactorKeys.of(settings)

    source = await _source(db, settings, command)
    if command.only_known_devices and source.is_stranger:
        raise StrangersWait

    def matches(factor: SecondFactor) -> bool:
        return after_code(factor, command.code, keys, command.at) is not None

    holder = await confirm_pin(
        db,
        command.card_digest,
        command.pin,
        source=source,
        limits=limits_of(settings),
        matches_code=matches if command.code else None,
    )
    if holder is None:
        raise BadCredentials
    return holder


async def _source(db: Database, settings: Settings, command: LogIn) -> Source:
    """Return the known device that the attempt comes from, else the network of a stranger."""
    holder = await cardholders_store.holder_of_card(db, command.card_digest)
    pin_version = holder.pin_version if holder else 0
    keys = settings.device_keys
    kept = (command.device_token, command.card_digests, pin_version, keys, command.at)
    device = known_device(*kept)
    if device:
        return Source("device", device)
    return stranger_at(caller_at(command.address), keys)


def open_session(work: Work, command: OpenSession) -> Session:
    """Store a new session. Raises AccountDisabled, WrongCode, or BadCredentials for another PIN.

    The cardholder is saved too. So if somebody changes the PIN or erases the patron at the same
    time, one of the two transactions is retried: the change finds the session, or the log-in the
    change. So is one of two log-ins with the same code, which is then refused.
    """
    holder = cardholders_store.cardholder(work, command.account_id)
    if holder is None or holder.pin_version != command.confirmed_pin:
        raise BadCredentials
    if holder.disabled_at is not None:
        raise AccountDisabled
    pin_hash = command.pin_hash or holder.pin_hash
    factor = holder.second_factor
    if factor is not None and factor.confirmed:
        factor = after_code(factor, command.code, command.keys, command.opened_at)
        if factor is None:
            raise WrongCode
    devices = with_device(holder.devices, command.device) if command.device else holder.devices
    saved = replace(holder, pin_hash=pin_hash, second_factor=factor, devices=devices)
    cardholders_store.save_cardholders(work, saved)
    if command.alerts:
        alert_of_device(work, holder)
    end(work, surplus(store.sessions_of(work, holder.id)))
    opened_at = command.opened_at
    session = Session(new_id(), holder.id, opened_at, command.expires_at, renewed_at=opened_at)
    store.add_session(work, session)
    return session
