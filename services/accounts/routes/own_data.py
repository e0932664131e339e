"""A patron's own contact data. Each change is confirmed with the PIN."""

from fastapi import APIRouter
from pydantic import Field

from services.accounts import queries
from services.accounts.domain.refusals import (
    Locked,
    NoSuchPatron,
    TooManyAddresses,
    WrongAddressCode,
    WrongPin,
)
from services.accounts.routes.fields import OwnSettings, Secret
from services.accounts.routes.patrons import ContactIn, ContactOut
from services.accounts.usecases.change_own_data import Contact, change_own_contact
from services.accounts.usecases.confirm_address import ConfirmAddress, confirm_address
from services.accounts.usecases.confirm_own_pin import confirm_own_pin
from shared import auth
from shared.audit_trail import changes_credentials
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class OwnContactIn(ContactIn):
    """A patron's addresses, which replace those on file, and the PIN that confirms them."""

    pin: Secret = Field(min_length=1, max_length=64, description="The patron's PIN.")


class ConfirmationIn(Body):
    """The code from the e-mail that was sent to a new address."""

    address_code: Secret = Field(min_length=1, max_length=32)


@router.get("/me/contact", tags=["patrons"])
@refuses(NoSuchPatron)
async def get_own_contact(caller: auth.Patron, db: Db) -> ContactOut:
    """Get the patron's own e-mail address and telephone number."""
    _, holder = await queries.patron(db, caller.id)
    return ContactOut.of(holder)


@router.put("/me/contact", tags=["patrons"])
@refuses(NoSuchPatron, WrongPin, Locked, TooManyAddresses)
@changes_credentials
async def put_own_contact(body: OwnContactIn, caller: auth.Patron, run: Run, db: Db) -> ContactOut:
    """Replace the patron's own e-mail address and telephone number.

    A new e-mail address is used once it is confirmed with the code that is sent there, until then
    the former one is. That is told of the change. Entering the former address again ends the wait.
    Five wrong PINs lock such changes for 15 minutes, and not the log-in.
    """
    _, holder = await queries.patron(db, caller.id)
    confirmed = await confirm_own_pin(run, holder, body.pin.get_secret_value())
    contact = Contact(body.email, body.phone)
    await change_own_contact(run, confirmed, contact)
    _, changed = await queries.patron(db, caller.id)
    return ContactOut.of(changed)


@router.put("/me/contact/confirmation", tags=["patrons"])
@refuses(NoSuchPatron, WrongAddressCode)
@changes_credentials
async def put_confirmation(
    body: ConfirmationIn, caller: auth.Patron, run: Run, db: Db, settings: OwnSettings
) -> ContactOut:
    """Confirm the new e-mail address with the code that was sent there; it is used from now on.

    The code is valid for seven days and for five tries. Repeating the request changes nothing.
    """
    command = ConfirmAddress(caller.id, body.address_code.get_secret_value(), wall_clock())
    await confirm_address(run, command, settings.reset_keys)
    _, holder = await queries.patron(db, caller.id)
    return ContactOut.of(holder)
