"""Sessions and second factors: log in with a card and a PIN, or as a service, and log out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, SecretStr

from services.accounts.cardholders.rules import Cardholder
from services.accounts.cardholders.store import find_stored_digest
from services.accounts.fields import OwnSettings, Secret
from services.accounts.keys.commands import SignedToken
from services.accounts.refusals import NoSuchAccount, Refusal
from services.accounts.settings import Settings
from services.accounts.sign_in import refusals
from services.accounts.sign_in.commands.confirm_pin import logging_in, record_failure
from services.accounts.sign_in.commands.log_in import LogIn, confirmed_holder, log_in
from services.accounts.sign_in.commands.second_factors import (
    FactorKeys,
    address_of,
    confirm_factor,
    new_factor,
    new_recovery_codes,
    new_secret,
    recovery_digests,
    remove_own_factor,
    set_up_factor,
)
from services.accounts.sign_in.commands.sessions import (
    AdmitService,
    admit_service,
    end_all,
    end_session,
    renew,
)
from services.accounts.sign_in.rules import LONGEST_TOKEN
from shared.assertions import LONGEST
from shared.auth import AnyCaller, Unauthenticated, token_of
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.client_address import client_address, is_crowded
from shared.http.dependencies import Db, Run
from shared.ids import card_digests
from shared.mongo import Database
from shared.refusals import refuses
from shared.rights import Scope

router = APIRouter(prefix="/v1")

second_factors = APIRouter(prefix="/v1")


class CardIn(Body):
    """A card and its PIN."""

    card_number: str = Field(min_length=1, max_length=64)
    pin: Secret = Field(min_length=1, max_length=64)
    device_token: Secret | None = Field(
        default=None,
        max_length=LONGEST_TOKEN,
        description="The `device_token` of the last log-in on this device, with any card. Wrong "
        "PINs of others then don't keep the patron from logging in here.",
    )

    async def attempt(
        self, request: Request, db: Database, settings: Settings, code: Secret | None = None
    ) -> LogIn:
        """Return the attempt to prove that the card is the caller's."""
        digests = card_digests(self.card_number, settings.card_key)
        return LogIn(
            card_digest=await find_stored_digest(db, digests),
            card_digests=digests,
            pin=self.pin.get_secret_value(),
            at=wall_clock(),
            address=client_address(request.scope),
            device_token=self.device_token.get_secret_value() if self.device_token else "",
            code=code.get_secret_value() if code else "",
            station=await _station(request),
            only_known_devices=is_crowded(request.scope),
        )


async def _station(request: Request) -> str:
    """Return the id of the station that sends a request with its token; "" for everybody else."""
    try:
        caller = await request.app.state.verifier.caller(token_of(request))
    except Unauthenticated:
        return ""
    return caller.id if "verify" in caller.rights else ""


class SessionIn(CardIn):
    """A card and its PIN, with a code if the account has a second factor."""

    factor_code: Secret | None = Field(
        default=None,
        max_length=32,
        description="A code from the app or a recovery code, if the account has a second factor.",
    )
    scopes: tuple[Scope, ...] = Field(
        default=(),
        max_length=20,
        description="Scopes that the session of a patron is limited to, for a program of others. "
        "Its token lasts as long as the session, can't be renewed, and is accepted only where "
        "such programs are, as by PAIA; empty: all rights.",
    )


class ServiceSessionIn(Body):
    """A proof to be a service: a JWT that it has signed with its own key, just now.

    While a system is updated, a service of an earlier release may send the secret of these.
    """

    assertion: Secret = Field(
        default=SecretStr(""),
        max_length=LONGEST,
        description="Issuer and subject: the name of the service. Audience: `accounts`. It has an "
        "id, lasts at most a minute, and is accepted once (RFC 7523).",
    )
    service: str = Field(
        default="", max_length=40, description="Name of a service that sends `secret`."
    )
    secret: Secret = Field(
        default=SecretStr(""),
        max_length=200,
        description="Accepted only if CARREL_FORMER_SERVICE_SECRET is set.",
    )


class RenewalIn(Body):
    """The newest renewal token of a session."""

    renewal_token: Secret = Field(max_length=200)


class SessionOut(BaseModel):
    """A token to send as `Authorization: Bearer …`."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind, not a secret
    expires_in: int = Field(description="Lifetime of the token, in seconds.")
    patron_id: str | None = Field(
        description="Id of the patron; null: the token is for staff, a station, an operator or a "
        "service."
    )
    roles: list[str]
    renewal_token: str | None = Field(
        description="Secret for `POST /v1/sessions/renewal`, to be used once; null: the token "
        "can't be renewed."
    )
    renewal_expires_in: int | None = Field(
        description="Seconds until the session can't be renewed any more; null: it can't at all."
    )
    device_token: str | None = Field(
        default=None,
        description="Secret to keep on this device for the next log-in with any card, in place of "
        "the former one; null: keep the former one.",
    )

    @classmethod
    def of(cls, token: SignedToken) -> "SessionOut":
        """Build the response from a token."""
        return cls(
            access_token=token.access_token,
            expires_in=token.expires_in,
            patron_id=token.patron_id,
            roles=list(token.roles),
            renewal_token=token.renewal_token,
            renewal_expires_in=token.renewal_expires_in,
            device_token=token.device_token,
        )


@router.post("/sessions", tags=["sessions"])
@refuses(
    *(refusals.BadCredentials, refusals.Locked, refusals.StrangersWait, refusals.AccountDisabled),
    *(refusals.CodeNeeded, refusals.WrongCode, refusals.FactorRequired),
)
async def post_session(
    body: SessionIn, request: Request, run: Run, settings: OwnSettings
) -> SessionOut:
    """Log in. A repeated log-in is a new one, even with the same Idempotency-Key.

    An account with a second factor needs a code too; a wrong one counts as a wrong PIN does.
    After five wrong PINs the card is locked for 15 minutes where they came from: for this network,
    or for the device whose `device_token` was sent. Wrong PINs of many networks make others wait
    who have no `device_token` of this card. A station sends its own token: wrong PINs there count
    for it alone.
    """
    attempt = await body.attempt(request, run.database, settings, body.factor_code)
    attempt = replace(attempt, scopes=body.scopes)
    try:
        return SessionOut.of(await log_in(run, settings, attempt))
    except Refusal as refusal:
        await record_failure(run, attempt.card_digest, attempt.address, refusal)
        raise


@router.post("/sessions/renewal", tags=["sessions"])
@refuses(refusals.SessionEnded)
async def post_renewal(body: RenewalIn, run: Run, settings: OwnSettings) -> SessionOut:
    """Exchange the session's newest renewal token for new tokens, before the access token expires.

    Each renewal token can be used once. The former one gets the same answer for a minute, if that
    was lost; using it later ends the session, because somebody may have copied it.
    """
    token = body.renewal_token.get_secret_value()
    return SessionOut.of(await renew(run, settings, token, wall_clock()))


@router.delete("/sessions/current", status_code=204, tags=["sessions"])
async def delete_current_session(caller: AnyCaller, run: Run) -> None:
    """Log out: end the session that the token belongs to. The gateway refuses the token at once."""
    await run(end_session, caller.id, caller.session_id)


@router.delete("/sessions", status_code=204, tags=["sessions"])
async def delete_sessions(caller: AnyCaller, run: Run) -> None:
    """Log out everywhere: end all sessions of the caller's account."""
    await run(end_all, caller.id)


@router.post("/service-sessions", tags=["sessions"])
@refuses(refusals.BadCredentials)
async def post_service_session(body: ServiceSessionIn, db: Db, settings: OwnSettings) -> SessionOut:
    """Log in as a service."""
    attempt = AdmitService(
        body.assertion.get_secret_value(),
        at=wall_clock(),
        service=body.service,
        secret=body.secret.get_secret_value(),
    )
    return SessionOut.of(await admit_service(db, settings, attempt))


class FactorRemovalIn(CardIn):
    """A card, its PIN and a code."""

    factor_code: Secret = Field(
        max_length=32, description="A code from the app, or a recovery code."
    )


class FactorConfirmationIn(FactorRemovalIn):
    """The same with the id of the second factor that the code confirms."""

    factor_id: str = Field(max_length=64)


class FactorOut(BaseModel):
    """A second factor that a first code has to confirm."""

    factor_id: str
    secret: str = Field(description="The secret for an app, in Base32.")
    uri: str = Field(description="The same as an address, for a QR code.")


class RecoveryOut(BaseModel):
    """Codes for somebody who has lost the app. They are shown this once."""

    recovery_codes: list[str]


_OF_PIN = (
    refusals.BadCredentials,
    refusals.Locked,
    refusals.StrangersWait,
    NoSuchAccount,
    refusals.AccountDisabled,
)
"""Refusals of each step."""


@asynccontextmanager
async def _proven(
    what: str, run: Run, settings: Settings, attempt: LogIn
) -> AsyncIterator[tuple[Cardholder, Run]]:
    """Give the holder, whose PIN was right, and a run that records the step.

    A refusal is recorded too. No response is stored for a repeated request: it would have a secret.
    """
    try:
        holder = await confirmed_holder(run.database, settings, attempt)
        recording = logging_in(run, holder, attempt.address, what)
        yield holder, recording
        run.events.extend(recording.events)  # the gateway ends the sessions before it answers
    except Refusal as refusal:
        await record_failure(run, attempt.card_digest, attempt.address, refusal, what)
        raise


@second_factors.post("/second-factors", status_code=201, tags=["sessions"])
@refuses(*_OF_PIN, refusals.FactorExists)
async def post_factor(body: CardIn, request: Request, run: Run, settings: OwnSettings) -> FactorOut:
    """Set up a second factor for an account of staff. It counts once a first code confirms it."""
    attempt, secret = await body.attempt(request, run.database, settings), new_secret()
    factor = new_factor(secret, FactorKeys.of(settings))
    async with _proven("POST /v1/second-factors", run, settings, attempt) as (holder, recording):
        await recording(set_up_factor, holder, factor)
    return FactorOut(factor_id=factor.id, secret=secret, uri=address_of(secret, holder.card_number))


@second_factors.post("/second-factors/confirmation", tags=["sessions"])
@refuses(*_OF_PIN, refusals.NoFactor, refusals.FactorExists, refusals.WrongCode)
async def post_confirmation(
    body: FactorConfirmationIn, request: Request, run: Run, settings: OwnSettings
) -> RecoveryOut:
    """Confirm a second factor with a first code. From now on each log-in needs a code.

    All sessions of the account end.
    """
    attempt, keys, codes = (
        await body.attempt(request, run.database, settings),
        FactorKeys.of(settings),
        new_recovery_codes(),
    )
    what = "POST /v1/second-factors/confirmation"
    async with _proven(what, run, settings, attempt) as (holder, recording):
        await recording(
            confirm_factor,
            holder,
            body.factor_id,
            recovery_digests(body.factor_id, codes, keys),
            code=body.factor_code.get_secret_value(),
            keys=keys,
            at=attempt.at,
        )
    return RecoveryOut(recovery_codes=codes)


@second_factors.post("/second-factors/removal", status_code=204, tags=["sessions"])
@refuses(*_OF_PIN, refusals.NoFactor, refusals.CodeNeeded, refusals.WrongCode)
async def post_factor_removal(
    body: FactorRemovalIn, request: Request, run: Run, settings: OwnSettings
) -> None:
    """Remove the second factor of an account with one of its codes. All its sessions end."""
    attempt = await body.attempt(request, run.database, settings, body.factor_code)
    what, keys = "POST /v1/second-factors/removal", FactorKeys.of(settings)
    async with _proven(what, run, settings, attempt) as (holder, recording):
        await recording(remove_own_factor, holder, attempt.code, keys, attempt.at)
