"""Add and remove one's passkeys, and log in with one."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_passkey
from services.accounts.cardholders.rules import Cardholder
from services.accounts.keys.commands import SignedToken
from services.accounts.passkeys import formats, refusals, store
from services.accounts.passkeys.formats import Site, Unproven
from services.accounts.passkeys.rules import (
    MOST_PASSKEYS,
    Passkey,
    after_use,
    id_of,
    to_log_in,
)
from services.accounts.settings import Settings
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.log_in import (
    Attempt,
    admit,
    check_device,
    limiting_strangers,
)
from services.accounts.sign_in.commands.sessions import end_all
from services.accounts.sign_in.refusals import AccountDisabled, WrongPin
from services.accounts.sign_in.rules import end_of_challenge
from shared.mongo import Database
from shared.refusals import or_refuse
from shared.rights import rights_of, roles_of_account
from shared.unit_of_work import Run, Work

LOG_IN = "POST /v1/sessions/passkey"


@dataclass(frozen=True)
class Challenge:
    """A challenge that was signed, and the instant at which it ends."""

    text: str = field(repr=False)
    ends_at: datetime

    def use(self, work: Work) -> bool:
        """Use it; return False if it was used before."""
        return sign_in_store.use_once(work, f"passkey {self.text}", self.ends_at)


def read_new(
    settings: Settings, credential: str, purpose: str, *, at: datetime, account_id: str, name: str
) -> tuple[Passkey, Challenge]:
    """Return a new passkey that has signed a challenge for this purpose. Raises PasskeyNotAdded."""
    try:
        text = formats.challenge_in(credential)
        ends_at = or_refuse(
            end_of_challenge(text, settings.device_keys, purpose, at), refusals.PasskeyNotAdded
        )
        site = Site(settings.passkey_origin)
        raw_id, public_key, counter = formats.verified_creation(credential, text, site)
    except Unproven:
        raise refusals.PasskeyNotAdded from None
    passkey = Passkey(
        id=id_of(raw_id),
        account_id=account_id,
        credential=raw_id,
        public_key=public_key,
        name=name,
        added_at=at,
        counter=counter,
    )
    return passkey, Challenge(text, ends_at)


def add_passkey(
    work: Work, confirmed: Cardholder, passkey: Passkey, challenge: Challenge
) -> Passkey:
    """Add a passkey to the account whose PIN was confirmed, and tell a patron of it.

    The holder is saved too, so that of two at once one is retried. Raises TooManyPasskeys, or
    PasskeyNotAdded, also if the PIN has been replaced since.
    """
    holder = cardholders_store.cardholder(work, confirmed.id)
    if holder is None or holder.pin_version != confirmed.pin_version:
        raise refusals.PasskeyNotAdded
    if store.count_of(work, holder.id) >= MOST_PASSKEYS:
        raise refusals.TooManyPasskeys(limit=MOST_PASSKEYS)
    if store.passkey(work, passkey.id) is not None or not challenge.use(work):
        raise refusals.PasskeyNotAdded
    cardholders_store.save_cardholders(work, holder)
    store.add_passkey(work, passkey)
    if holder.role == "patron":
        alert_of_passkey(work, holder, added=True)
    return passkey


def remove_passkey(work: Work, confirmed: Cardholder, passkey_id: str, session_id: str) -> None:
    """Remove a passkey, and end all sessions but the caller's: somebody else may have used it.

    Raises WrongPin if the PIN that was confirmed has been replaced since, or NoSuchPasskey.
    """
    holder = cardholders_store.cardholder(work, confirmed.id)
    if holder is None or holder.pin_version != confirmed.pin_version:
        raise WrongPin
    passkey = store.passkey(work, passkey_id)
    if passkey is None or passkey.account_id != holder.id:
        raise refusals.NoSuchPasskey
    cardholders_store.save_cardholders(work, holder)
    store.remove_passkey(work, passkey)
    end_all(work, holder.id, but=session_id)
    if holder.role == "patron":
        alert_of_passkey(work, holder, added=False)


@dataclass(frozen=True, kw_only=True)
class LogInWithPasskey(Attempt):
    """An attempt to log in with the proof of a passkey, which has signed a challenge."""

    credential: str = field(repr=False)
    browser: str = field(repr=False)
    """Secret of the browser that asked for the challenge."""


async def log_in_with_passkey(
    run: Run, settings: Settings, command: LogInWithPasskey
) -> SignedToken:
    """Open a session for the owner of a passkey, who has proved it with a finger, a face or a PIN.

    For staff this counts as both factors: no code is asked for. Refused proofs are limited as wrong
    PINs of strangers are, and counted apart. Raises BadPasskey, AccountDisabled, StrangersWait or
    Busy.
    """
    async with limiting_strangers(run, settings, command, "passkeys", LOG_IN) as tried:
        passkey, challenge, counter = await _proven(run.database, settings, command)
        holder = await cardholders_store.find_cardholder(run.database, passkey.account_id)
        if holder is None:
            raise refusals.BadPasskey
        tried.card_digest = holder.card_digest
        check_device(settings, command, holder)
        prove = partial(
            _with_passkey,
            passkey_id=passkey.id,
            challenge=challenge,
            counter=counter,
            at=command.at,
        )
        return await admit(run, settings, holder, command, prove, what=LOG_IN)


async def _proven(
    db: Database, settings: Settings, command: LogInWithPasskey
) -> tuple[Passkey, Challenge, int]:
    """Return the passkey that has signed the challenge, and its counter. Raises BadPasskey."""
    purpose, site = to_log_in(command.browser), Site(settings.passkey_origin)
    try:
        proof = formats.read_assertion(command.credential)
        keys = settings.device_keys
        ends_at = end_of_challenge(proof.challenge, keys, purpose, command.at)
        passkey = await store.find_passkey(db, proof.passkey_id) if ends_at else None
        if passkey is None or ends_at is None or passkey.account_id != proof.account_id:
            raise refusals.BadPasskey
        counter = formats.verified_counter(command.credential, proof.challenge, site, passkey)
    except Unproven:
        raise refusals.BadPasskey from None
    return passkey, Challenge(proof.challenge, ends_at), counter


def _with_passkey(
    work: Work, *, passkey_id: str, challenge: Challenge, counter: int, at: datetime
) -> Cardholder:
    """Return the owner of a passkey that was proved, after this use. Raises BadPasskey.

    It is read again: it may have been removed, or used with the same proof, in the meantime. Raises
    AccountDisabled too.
    """
    passkey = or_refuse(store.passkey(work, passkey_id), refusals.BadPasskey)
    holder = or_refuse(cardholders_store.cardholder(work, passkey.account_id), refusals.BadPasskey)
    used = or_refuse(after_use(passkey, counter, at), refusals.BadPasskey)
    if "own-pin" not in rights_of(roles_of_account(holder.role)) or not challenge.use(work):
        raise refusals.BadPasskey
    if holder.disabled_at is not None:
        raise AccountDisabled
    store.save_passkey(work, used)
    return holder
