"""The caller's own PIN, which replaces the former one."""

from fastapi import APIRouter
from pydantic import Field

from services.accounts import store
from services.accounts.domain.refusals import (
    EASY_PINS,
    Locked,
    NoSuchAccount,
    NoSuchPatron,
    WrongPin,
)
from services.accounts.routes.fields import NewPin, Secret
from services.accounts.usecases.change_own_pin import ChangeOwnPin, change_own_pin
from services.accounts.usecases.check_pin import new_pin_hash
from services.accounts.usecases.confirm_own_pin import confirm_own_pin
from shared.audit_trail import changes_credentials
from shared.auth import Person
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class OwnPinIn(Body):
    """The caller's PIN and the one that replaces it."""

    pin: Secret = Field(min_length=1, max_length=64, description="The PIN until now.")
    new_pin: NewPin


@router.put("/me/pin", status_code=204, tags=["sessions"])
@refuses(NoSuchPatron, NoSuchAccount, WrongPin, Locked, *EASY_PINS)
@changes_credentials
async def put_own_pin(body: OwnPinIn, caller: Person, run: Run, db: Db) -> None:
    """Replace the caller's own PIN, and end their other sessions.

    Five wrong PINs lock such changes for 15 minutes, and not the log-in. A second factor stays.
    """
    holder = await store.find_cardholder(db, caller.id)
    if holder is None:
        raise NoSuchPatron if "patron" in caller.roles else NoSuchAccount
    pin = body.pin.get_secret_value()
    confirmed = await confirm_own_pin(run, holder, pin)
    new_pin = body.new_pin.get_secret_value()
    pin_hash = await new_pin_hash(new_pin, confirmed.card_number, confirmed.born_on)
    command = ChangeOwnPin(caller.id, confirmed.pin_version, pin_hash, caller.session_id)
    await run(change_own_pin, command)
