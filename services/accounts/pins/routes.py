"""New PINs: by a code from an e-mail, and the caller's own."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from services.accounts.cardholders import store as cardholders_store
from services.accounts.fields import NewPin, OwnSettings, PathId, Secret, digest_of
from services.accounts.pins import store
from services.accounts.pins.commands import (
    EnterCode,
    RequestPinReset,
    ask_for_code,
    change_own_pin,
    enter_code,
    new_pin_hash,
)
from services.accounts.pins.refusals import EASY_PINS, TooManyCodes, TooManyResets, WrongResetCode
from services.accounts.pins.rules import VALID_FOR, code_of
from services.accounts.refusals import NoSuchAccount, NoSuchPatron
from services.accounts.settings import Settings
from services.accounts.sign_in.commands.confirm_pin import confirm_own_pin, limits_of
from services.accounts.sign_in.refusals import Locked, WrongPin
from services.accounts.sign_in.rules import LONGEST_TOKEN, Source, stranger_at, token_after_log_in
from shared.audit_trail import changes_credentials
from shared.auth import OtherService, Person
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.client_address import caller_at, client_address
from shared.http.dependencies import Db, Run
from shared.ids import card_digests
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

own_pin = APIRouter(prefix="/v1")


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
    reset_id: PathId, body: ResetCodeIn, request: Request, run: Run, settings: OwnSettings
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
    reset_id: PathId, _caller: OtherService, db: Db, settings: OwnSettings
) -> StaffCodeOut:
    """Get the code for somebody of the staff, and the address to send it to, for one message."""
    live = await store.find_live(db, reset_id, wall_clock())
    holder = await cardholders_store.find_cardholder(db, live.patron_id or "") if live else None
    is_staff = holder is not None and holder.role != "patron"
    code = code_of(reset_id, settings.reset_keys) if is_staff else None
    return StaffCodeOut(address=holder.email if holder and code else None, code=code)


class OwnPinIn(Body):
    """The caller's PIN and the one that replaces it."""

    pin: Secret = Field(min_length=1, max_length=64, description="The PIN until now.")
    new_pin: NewPin


@own_pin.put("/me/pin", status_code=204, tags=["sessions"])
@refuses(NoSuchPatron, NoSuchAccount, WrongPin, Locked, *EASY_PINS)
@changes_credentials
async def put_own_pin(body: OwnPinIn, caller: Person, run: Run, db: Db) -> None:
    """Replace the caller's own PIN, and end their other sessions.

    Five wrong PINs lock such changes for 15 minutes, and not the log-in. A second factor stays.
    """
    holder = await cardholders_store.find_cardholder(db, caller.id)
    if holder is None:
        raise NoSuchPatron if "patron" in caller.roles else NoSuchAccount
    pin = body.pin.get_secret_value()
    confirmed = await confirm_own_pin(run, holder, pin)
    new_pin = body.new_pin.get_secret_value()
    pin_hash = await new_pin_hash(new_pin, confirmed.card_number, confirmed.born_on)
    await run(change_own_pin, confirmed, pin_hash, caller.session_id)
