"""A new PIN for patrons who have forgotten theirs, by a code that is sent by e-mail."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.accounts import store
from services.accounts.domain.lockout import Source
from services.accounts.domain.pin_reset import VALID_FOR, code_of
from services.accounts.domain.refusals import (
    EASY_PINS,
    TooManyCodes,
    TooManyResets,
    WrongResetCode,
)
from services.accounts.domain.source import LONGEST_TOKEN, stranger_at, token_after_log_in
from services.accounts.routes.fields import NewPin, OwnSettings, PatronId, Secret, digest_of
from services.accounts.settings import Settings
from services.accounts.usecases.reset_pin import (
    EnterCode,
    RequestPinReset,
    ask_for_code,
    enter_code,
)
from services.accounts.usecases.spend_budgets import limits_of
from shared.auth import OtherService
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.client_address import client_address
from shared.http.dependencies import Db, Run
from shared.ids import card_digests
from shared.networks import caller_at
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class PinResetIn(Body):
    """The card whose holder has forgotten the PIN."""

    card_number: str = Field(min_length=1, max_length=64)


class PinResetOut(BaseModel):
    """A request for a code; it says nothing about the card."""

    id: str
    expires_in: int = Field(description="Seconds for which a code can be used.")


class StaffCodeOut(BaseModel):
    """The code for one e-mail to somebody of the staff, which its sender stores nowhere."""

    address: str | None = Field(description="Null: the code can no longer be used.")
    code: str | None = Field(description="Code to choose a PIN.")


class ResetCodeIn(Body):
    """The code from the e-mail, and the new PIN."""

    reset_code: Secret = Field(min_length=1, max_length=32)
    new_pin: NewPin
    device_token: Secret | None = Field(
        default=None,
        max_length=LONGEST_TOKEN,
        description="The `device_token` of the last log-in on this device, or an empty text. "
        "With it the answer (200) has another one, with which the holder can log in here at once, "
        "whatever wrong PINs others enter; without it the answer is 204.",
    )


class NewPinOut(BaseModel):
    """The device on which a new PIN was chosen."""

    device_token: str | None = Field(
        description="Secret to send with the next log-in on this device; null: there is none."
    )


def _stranger(request: Request, settings: Settings) -> Source:
    return stranger_at(caller_at(client_address(request.scope)), settings.device_keys)


@router.post("/pin-resets", status_code=202, tags=["sessions"])
@refuses(TooManyResets)
async def post_pin_reset(
    body: PinResetIn, request: Request, run: Run, settings: OwnSettings
) -> PinResetOut:
    """Ask for a code to choose a new PIN.

    If the card belongs to a patron with an e-mail address, a code is sent there. The answer is the
    same for every card number. The code is valid for 15 minutes and for five tries. A network,
    and all together, can ask for as many codes an hour as they may enter wrong PINs.
    """
    digest = await digest_of(run.database, settings, body.card_number)
    asking = RequestPinReset(
        digest,
        wall_clock(),
        _stranger(request, settings),
        limits_of(settings),
        client_address(request.scope),
    )
    reset = await ask_for_code(run, asking)
    return PinResetOut(id=reset.id, expires_in=int(VALID_FOR.total_seconds()))


@router.put(
    "/pin-resets/{reset_id}",
    status_code=204,
    response_model=None,
    responses={200: {"model": NewPinOut}},
    tags=["sessions"],
)
@refuses(WrongResetCode, TooManyCodes, *EASY_PINS)
async def put_pin_reset(
    reset_id: PatronId, body: ResetCodeIn, request: Request, run: Run, settings: OwnSettings
) -> Response:
    """Choose a new PIN with the code. This also unlocks a card after too many attempts to log in.

    It ends the patron's sessions, and makes the device a known one if that asks for it.
    After five wrong tries the code is dead. Requests for codes that were not sent are answered like
    a wrong code.
    """
    command = EnterCode(
        reset_id,
        code=body.reset_code.get_secret_value(),
        new_pin=body.new_pin.get_secret_value(),
        at=wall_clock(),
        stranger=_stranger(request, settings),
        limits=limits_of(settings),
        address=client_address(request.scope),
    )
    holder = await enter_code(run, command, settings.reset_keys)
    if body.device_token is None:
        return Response(status_code=204)
    device = token_after_log_in(
        body.device_token.get_secret_value(),
        card_digests(holder.card_number, settings.card_key),
        holder.pin_version,
        settings.device_keys,
        command.at,
    )
    return JSONResponse(NewPinOut(device_token=device).model_dump())


@router.get("/staff-codes/{reset_id}", tags=["staff"])
async def get_staff_code(
    reset_id: PatronId, _caller: OtherService, db: Db, settings: OwnSettings
) -> StaffCodeOut:
    """Get the code for somebody of the staff, and the address to send it to, for one message."""
    live = await store.pin_resets.find_live(db, reset_id, wall_clock())
    holder = await store.find_cardholder(db, live.patron_id or "") if live else None
    is_staff = holder is not None and holder.role != "patron"
    code = code_of(reset_id, settings.reset_keys) if is_staff else None
    return StaffCodeOut(address=holder.email if holder and code else None, code=code)
