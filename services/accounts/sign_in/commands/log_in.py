"""Log in with a card and its PIN, and open the session of whoever has proved to be its holder."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_device
from services.accounts.cardholders.rules import Cardholder, SecondFactor
from services.accounts.keys.commands import SignedToken
from services.accounts.refusals import Refusal
from services.accounts.settings import Settings
from services.accounts.sign_in import refusals, store
from services.accounts.sign_in.commands.confirm_pin import (
    LOG_IN,
    Spending,
    confirm_pin,
    limits_of,
    logging_in,
    record_failure,
    spend_patiently,
)
from services.accounts.sign_in.commands.hashes import rehashed
from services.accounts.sign_in.commands.second_factors import FactorKeys, after_code
from services.accounts.sign_in.commands.sessions import end, signed
from services.accounts.sign_in.rules import (
    Session,
    Source,
    budget_of_everyone,
    budget_of_network,
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
from shared.ids import card_digests, new_id
from shared.mongo import Database
from shared.unit_of_work import Run, Work

OF_PROGRAMS = remembered("programs")
"""Programs of others, which keep no token of a device: all together count as one device, so that
the patron is told of the first log-in, and not of each."""
AWAY = 500
"""HTTP status from which on a refusal is nobody's wrong attempt."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """An attempt to log in, at `at` by the wall clock."""

    at: datetime
    address: str = field(default="", repr=False)
    """Network address of the client."""
    device_token: str = field(default="", repr=False)
    """Token that the client got from its last log-in, if it kept that."""
    station: str = ""
    """Id of the station at which the PIN was typed; empty: at none."""
    only_known_devices: bool = False
    """True if the address has sent too many log-ins."""
    scopes: tuple[str, ...] = ()
    """Scopes that the session is limited to; empty: it has all rights of the account."""


@dataclass(frozen=True, kw_only=True)
class LogIn(Attempt):
    """A login attempt with a card, given by its digest."""

    card_digest: str = field(repr=False)
    """The digest under which the card is stored, or would be."""
    card_digests: tuple[str, ...] = field(repr=False)
    """Its digests with each key, the newest first: a device has one of them."""
    pin: str = field(repr=False)
    code: str = field(default="", repr=False)
    """Code of the second factor, if one was typed."""


Prove = Callable[[Work], Cardholder]
"""Checks the proof of a log-in again, inside the transaction; returns the holder to be saved."""


@dataclass(frozen=True)
class OpenSession:
    """A session for an account whose holder has proved to be it."""

    prove: Prove
    opened_at: datetime
    expires_at: datetime
    device: str = field(repr=False)
    """Digest of the device that the client is given; empty without a token."""
    alerts: bool
    """True if the holder is told, because nobody logged in with the card on this device before."""
    role: str = ""
    """Role of the session if it is less than the account's, which includes it."""


async def log_in(run: Run, settings: Settings, command: LogIn) -> SignedToken:
    """Open a session for the card's holder.

    Raises as `open_session` or `confirmed_holder`, CodeNeeded or FactorRequired.
    """
    holder = await confirmed_holder(run.database, settings, command)
    if command.scopes and holder.role != "patron":
        raise refusals.BadCredentials
    if holder.needs_code and not command.code:
        raise refusals.CodeNeeded
    needs_factor = holder.role in settings.second_factor_roles
    if needs_factor and not holder.needs_code and holder.disabled_at is None:
        raise refusals.FactorRequired
    prove = partial(
        _with_pin,
        confirmed=holder,
        pin_hash=await rehashed(command.pin, holder.pin_hash),
        code=command.code,
        keys=FactorKeys.of(settings),
        at=command.at,
    )
    return await admit(run, settings, holder, command, prove)


async def admit(
    run: Run,
    settings: Settings,
    holder: Cardholder,
    command: Attempt,
    prove: Prove,
    *,
    what: str = LOG_IN,
    role: str = "",
) -> SignedToken:
    """Open a session for a holder, and record the act `what`. Raises what `prove` raises.

    `role`: role of the session if it is less than the account's.
    """
    at, keys = command.at, settings.device_keys
    cards = card_digests(holder.card_number, settings.card_key)
    kept = (command.device_token, cards, holder.pin_version, keys, at)
    # Nobody's device is at a station: many patrons use it, and none is told of it as of a new one.
    device_token = None if command.station else token_after_log_in(*kept)
    device = remembered(devices_in(device_token)[0]) if device_token else ""
    if device and command.scopes:
        device_token, device = None, OF_PROGRAMS
    lifetime = timedelta(hours=settings.token_hours(holder.role))
    recording = logging_in(run, holder, command.address, what)
    session = await recording(
        open_session,
        OpenSession(
            prove,
            at,
            at + lifetime,
            device,
            not known_device(*kept)
            and await _is_new_device(run.database, holder, command.device_token, device),
            role,
        ),
    )
    run.events.extend(recording.events)  # the gateway ends surplus sessions before it answers
    token = await signed(run.database, settings, session, holder, at, scopes=command.scopes)
    return replace(token, device_token=device_token)


@dataclass
class Tried:
    """The account that an attempt without a PIN has named."""

    card_digest: str = field(default="", repr=False)
    """Digest of its card; empty as long as it names none."""


@asynccontextmanager
async def limiting_strangers(
    run: Run, settings: Settings, command: Attempt, of: str, what: str
) -> AsyncIterator[Tried]:
    """Limit attempts without a PIN as wrong PINs of strangers are, counted apart, and record them.

    A refusal in the block is recorded as one of the act `what`, and counted unless it says that
    something is away. Raises StrangersWait or Busy before the block.
    """
    limits = limits_of(settings)
    stranger = stranger_at(caller_at(command.address), settings.device_keys)

    async def spend(spending: Spending) -> None:
        await spending.spend(
            run.database,
            budget_of_network(stranger, limits, of),
            budget_of_everyone(limits, of),
        )

    tried = Tried()
    try:
        spending = await spend_patiently(run.database, spend, refusals.StrangersWait)
        try:
            yield tried
        except Refusal as refusal:
            settle = spending.give_back if refusal.status >= AWAY else spending.keep
            await settle(run.database)
            raise
        await spending.give_back(run.database)
    except Refusal as refusal:
        await record_failure(run, tried.card_digest, command.address, refusal, what)
        raise


def check_device(settings: Settings, command: Attempt, holder: Cardholder) -> None:
    """Raise StrangersWait if only known devices are let in, and this is none of the holder's."""
    cards = card_digests(holder.card_number, settings.card_key)
    kept = (command.device_token, cards, holder.pin_version, settings.device_keys, command.at)
    if command.only_known_devices and not known_device(*kept):
        raise refusals.StrangersWait


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
        raise refusals.StrangersWait

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
        raise refusals.BadCredentials
    return holder


async def _source(db: Database, settings: Settings, command: LogIn) -> Source:
    """Return the station or the known device of the attempt, else the network of a stranger."""
    holder = await cardholders_store.holder_of_card(db, command.card_digest)
    if command.station and (holder is None or holder.role == "patron"):
        return Source("station", command.station)
    pin_version = holder.pin_version if holder else 0
    keys = settings.device_keys
    kept = (command.device_token, command.card_digests, pin_version, keys, command.at)
    device = known_device(*kept)
    if device:
        return Source("device", device)
    return stranger_at(caller_at(command.address), keys)


def _with_pin(
    work: Work,
    *,
    confirmed: Cardholder,
    pin_hash: str | None,
    code: str,
    keys: FactorKeys,
    at: datetime,
) -> Cardholder:
    """Return the holder whose PIN was confirmed, after their code if they have a second factor.

    `pin_hash`: hash of this PIN with today's parameters; None: the stored one has them. Raises
    AccountDisabled, WrongCode, or BadCredentials if the PIN has been replaced since.
    """
    holder = cardholders_store.cardholder(work, confirmed.id)
    if holder is None or holder.pin_version != confirmed.pin_version:
        raise refusals.BadCredentials
    if holder.disabled_at is not None:
        raise refusals.AccountDisabled
    factor = holder.second_factor
    if factor is not None and factor.confirmed:
        factor = after_code(factor, code, keys, at)
        if factor is None:
            raise refusals.WrongCode
    return replace(holder, pin_hash=pin_hash or holder.pin_hash, second_factor=factor)


def open_session(work: Work, command: OpenSession) -> Session:
    """Store a new session. Raises what its proof raises.

    The cardholder is saved too. So if somebody changes the PIN or erases the patron at the same
    time, one of the two transactions is retried: the change finds the session, or the log-in the
    change. So is one of two log-ins with the same code, which is then refused.
    """
    holder = command.prove(work)
    devices = with_device(holder.devices, command.device) if command.device else holder.devices
    cardholders_store.save_cardholders(work, replace(holder, devices=devices))
    if command.alerts:
        alert_of_device(work, holder)
    end(work, surplus(store.sessions_of(work, holder.id)))
    opened_at = command.opened_at
    session = Session(
        id=new_id(),
        account_id=holder.id,
        opened_at=opened_at,
        expires_at=command.expires_at,
        renewed_at=opened_at,
        role=command.role,
    )
    store.add_session(work, session)
    return session
