"""Passkeys: log in with one, and see, add and remove one's own."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Cardholder
from services.accounts.fields import Name, OwnSettings, PathId, Secret
from services.accounts.passkeys import formats, refusals, store
from services.accounts.passkeys.commands import (
    LogInWithPasskey,
    add_passkey,
    log_in_with_passkey,
    read_new,
    remove_passkey,
)
from services.accounts.passkeys.formats import Site
from services.accounts.passkeys.rules import (
    MOST_PASSKEYS,
    VALID_FOR,
    Passkey,
    to_add,
    to_log_in,
)
from services.accounts.refusals import NoSuchAccount, NoSuchPatron
from services.accounts.sign_in.commands.confirm_pin import confirm_own_pin
from services.accounts.sign_in.refusals import AccountDisabled, Locked, StrangersWait, WrongPin
from services.accounts.sign_in.routes import SessionOut
from services.accounts.sign_in.rules import LONGEST_TOKEN, new_challenge
from shared.audit_trail import changes_credentials
from shared.auth import Caller, Person
from shared.clock import wall_clock
from shared.http.bodies import Body, from_attributes
from shared.http.client_address import client_address, is_crowded
from shared.http.dependencies import Db, Run
from shared.mongo import Database
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

LONGEST_CREDENTIAL = 8_000
"""Characters of a new passkey or a proof, of which the most are its id and its public key."""


class BrowserIn(Body):
    """The browser in which somebody logs in."""

    browser: Secret = Field(
        min_length=16,
        max_length=200,
        description="A random secret of the browser, which binds the challenge to it.",
    )


class PasskeyOptionsOut(BaseModel):
    """Options for the browser, with a challenge that is accepted once, within five minutes."""

    options: dict[str, Any] = Field(
        description="`PublicKeyCredentialCreationOptionsJSON` or "
        "`PublicKeyCredentialRequestOptionsJSON` of WebAuthn."
    )


class PasskeySessionIn(BrowserIn):
    """The proof of a passkey."""

    credential: Secret = Field(
        max_length=LONGEST_CREDENTIAL,
        description="The `PublicKeyCredential` that the browser has returned, as JSON in a text.",
    )
    device_token: Secret | None = Field(
        default=None,
        max_length=LONGEST_TOKEN,
        description="The `device_token` of the last log-in on this device, with any card.",
    )


class PasskeyIn(Body):
    """A new passkey, which has signed a challenge for this session."""

    name: Name = Field(max_length=100)
    credential: Secret = Field(
        max_length=LONGEST_CREDENTIAL,
        description="The `PublicKeyCredential` that the browser has made, as JSON in a text.",
    )


class OwnerIn(Body):
    """The PIN of the caller, to confirm a change of their passkeys."""

    pin: Secret = Field(min_length=1, max_length=64)


class PasskeyRef(BaseModel):
    """A passkey that was added."""

    id: str


class PasskeyOut(PasskeyRef):
    """A passkey."""

    name: str
    added_at: datetime
    used_at: datetime | None = Field(description="Instant of the last log-in; null: there is none.")

    @classmethod
    def of(cls, passkey: Passkey) -> "PasskeyOut":
        """Build the response from a passkey."""
        return from_attributes(cls, passkey)


class PasskeysOut(BaseModel):
    """The caller's passkeys, the oldest first."""

    items: list[PasskeyOut]


@router.post("/sessions/passkey-challenge", tags=["sessions"])
async def post_log_in_challenge(body: BrowserIn, settings: OwnSettings) -> PasskeyOptionsOut:
    """Ask for the options to log in with a passkey. Nothing is stored, and no account is named."""
    purpose = to_log_in(body.browser.get_secret_value())
    challenge = new_challenge(settings.device_keys, purpose, wall_clock() + VALID_FOR)
    return PasskeyOptionsOut(
        options=formats.request_options(Site(settings.passkey_origin), challenge)
    )


@router.post("/sessions/passkey", tags=["sessions"])
@refuses(refusals.BadPasskey, AccountDisabled, StrangersWait)
async def post_passkey_session(
    body: PasskeySessionIn, request: Request, run: Run, settings: OwnSettings
) -> SessionOut:
    """Log in with a passkey, without card number, PIN and code.

    Its authenticator has asked for a finger, a face or its own PIN. Each proof is accepted once.
    """
    attempt = LogInWithPasskey(
        at=wall_clock(),
        address=client_address(request.scope),
        device_token=body.device_token.get_secret_value() if body.device_token else "",
        only_known_devices=is_crowded(request.scope),
        credential=body.credential.get_secret_value(),
        browser=body.browser.get_secret_value(),
    )
    return SessionOut.of(await log_in_with_passkey(run, settings, attempt))


@router.get("/me/passkeys", tags=["sessions"])
async def get_passkeys(caller: Person, db: Db) -> PasskeysOut:
    """Get the caller's passkeys."""
    found = await store.find_of_account(db, caller.id)
    return PasskeysOut(items=[PasskeyOut.of(one) for one in found])


@router.post("/me/passkeys/challenge", tags=["sessions"])
@refuses(NoSuchPatron, NoSuchAccount, WrongPin, Locked, refusals.TooManyPasskeys)
@changes_credentials
async def post_challenge(
    body: OwnerIn, caller: Person, run: Run, db: Db, settings: OwnSettings
) -> PasskeyOptionsOut:
    """Confirm the PIN, and ask for the options to add a passkey in this session.

    Five wrong PINs lock such changes for 15 minutes, and not the log-in.
    """
    holder = await confirm_own_pin(run, await _own(db, caller), body.pin.get_secret_value())
    passkeys = await store.find_of_account(db, caller.id)
    if len(passkeys) >= MOST_PASSKEYS:
        raise refusals.TooManyPasskeys(limit=MOST_PASSKEYS)
    purpose = to_add(caller.id, holder.pin_version, caller.session_id)
    challenge = new_challenge(settings.device_keys, purpose, wall_clock() + VALID_FOR)
    site = Site(settings.passkey_origin)
    return PasskeyOptionsOut(options=formats.creation_options(site, holder, passkeys, challenge))


@router.post("/me/passkeys", status_code=201, tags=["sessions"])
@refuses(NoSuchPatron, NoSuchAccount, refusals.PasskeyNotAdded, refusals.TooManyPasskeys)
@changes_credentials
async def post_passkey(
    body: PasskeyIn, caller: Person, run: Run, db: Db, settings: OwnSettings
) -> PasskeyRef:
    """Add a passkey in the session that has confirmed the PIN. The PIN stays; a patron is told.

    A new PIN from the staff or by a code removes passkeys, and a new card does not.
    """
    holder = await _own(db, caller)
    purpose = to_add(caller.id, holder.pin_version, caller.session_id)
    credential = body.credential.get_secret_value()
    new = read_new(
        settings, credential, purpose, at=wall_clock(), account_id=caller.id, name=body.name
    )
    return PasskeyRef(id=(await run(add_passkey, holder, *new)).id)


@router.post("/me/passkeys/{passkey_id}/removal", status_code=204, tags=["sessions"])
@refuses(NoSuchPatron, NoSuchAccount, WrongPin, Locked, refusals.NoSuchPasskey)
@changes_credentials
async def post_passkey_removal(
    passkey_id: PathId, body: OwnerIn, caller: Person, run: Run, db: Db
) -> None:
    """Remove a passkey, and end the caller's other sessions. A patron is told."""
    confirmed = await confirm_own_pin(run, await _own(db, caller), body.pin.get_secret_value())
    await run(remove_passkey, confirmed, passkey_id, caller.session_id)


async def _own(db: Database, caller: Caller) -> Cardholder:
    """Return the caller as a cardholder. Raises NoSuchPatron or NoSuchAccount."""
    holder = await cardholders_store.find_cardholder(db, caller.id)
    if holder is None:
        raise NoSuchPatron if "patron" in caller.roles else NoSuchAccount
    return holder
