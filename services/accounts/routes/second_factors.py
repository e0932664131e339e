"""The second factor of an account of staff: set it up, confirm it, remove it.

Each step asks for card and PIN and not for a token: an account that must have a second factor gets
no token before.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from services.accounts.domain.cardholder import Cardholder
from services.accounts.domain.refusals import (
    AccountDisabled,
    BadCredentials,
    CodeNeeded,
    FactorExists,
    Locked,
    NoFactor,
    NoSuchAccount,
    Refusal,
    StrangersWait,
    WrongCode,
)
from services.accounts.routes.fields import OwnSettings, Secret
from services.accounts.routes.sessions import CardIn
from services.accounts.settings import Settings
from services.accounts.usecases.app_codes import (
    FactorKeys,
    address_of,
    new_factor,
    new_recovery_codes,
    new_secret,
    recovery_digests,
)
from services.accounts.usecases.log_in import LogIn, confirmed_holder
from services.accounts.usecases.record_log_in import logging_in, record_failure
from services.accounts.usecases.set_up_factor import (
    ConfirmFactor,
    SetUpFactor,
    UseCode,
    confirm_factor,
    remove_own_factor,
    set_up_factor,
)
from shared.http.dependencies import Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


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


_OF_PIN = (BadCredentials, Locked, StrangersWait, NoSuchAccount, AccountDisabled)
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


@router.post("/second-factors", status_code=201, tags=["sessions"])
@refuses(*_OF_PIN, FactorExists)
async def post_factor(body: CardIn, request: Request, run: Run, settings: OwnSettings) -> FactorOut:
    """Set up a second factor for an account of staff. It counts once a first code confirms it."""
    attempt, secret = await body.attempt(request, run.database, settings), new_secret()
    factor = new_factor(secret, FactorKeys.of(settings))
    async with _proven("POST /v1/second-factors", run, settings, attempt) as (holder, recording):
        await recording(set_up_factor, SetUpFactor(holder.id, holder.pin_version, factor))
    return FactorOut(factor_id=factor.id, secret=secret, uri=address_of(secret, holder.card_number))


@router.post("/second-factors/confirmation", tags=["sessions"])
@refuses(*_OF_PIN, NoFactor, FactorExists, WrongCode)
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
        command = ConfirmFactor(
            holder.id,
            holder.pin_version,
            body.factor_code.get_secret_value(),
            keys,
            attempt.at,
            body.factor_id,
            recovery_digests(body.factor_id, codes, keys),
        )
        await recording(confirm_factor, command)
    return RecoveryOut(recovery_codes=codes)


@router.post("/second-factors/removal", status_code=204, tags=["sessions"])
@refuses(*_OF_PIN, NoFactor, CodeNeeded, WrongCode)
async def post_factor_removal(
    body: FactorRemovalIn, request: Request, run: Run, settings: OwnSettings
) -> None:
    """Remove the second factor of an account with one of its codes. All its sessions end."""
    attempt = await body.attempt(request, run.database, settings, body.factor_code)
    what, keys = "POST /v1/second-factors/removal", FactorKeys.of(settings)
    async with _proven(what, run, settings, attempt) as (holder, recording):
        command = UseCode(holder.id, holder.pin_version, attempt.code, keys, attempt.at)
        await recording(remove_own_factor, command)
