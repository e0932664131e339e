"""A patron's own contact data. Each change is confirmed with the PIN."""

from fastapi import APIRouter
from pydantic import Field

from services.accounts import queries
from services.accounts.domain.refusals import Locked, NoSuchPatron, WrongPin
from services.accounts.routes.fields import Secret
from services.accounts.routes.patrons import ContactIn, ContactOut
from services.accounts.usecases.change_own_data import ChangeOwnData, Contact, change_own_data
from services.accounts.usecases.confirm_own_pin import confirm_own_pin
from shared import auth
from shared.audit_trail import changes_credentials
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class OwnContactIn(ContactIn):
    """A patron's addresses, which replace those on file, and the PIN that confirms them."""

    pin: Secret = Field(min_length=1, max_length=64, description="The patron's PIN.")


@router.get("/me/contact", tags=["patrons"])
@refuses(NoSuchPatron)
async def get_own_contact(caller: auth.Patron, db: Db) -> ContactOut:
    """Get the patron's own e-mail address and telephone number."""
    _, holder = await queries.patron(db, caller.id)
    return ContactOut(email=holder.email, phone=holder.phone)


@router.put("/me/contact", tags=["patrons"])
@refuses(NoSuchPatron, WrongPin, Locked)
@changes_credentials
async def put_own_contact(body: OwnContactIn, caller: auth.Patron, run: Run, db: Db) -> ContactOut:
    """Replace the patron's own e-mail address and telephone number.

    Five wrong PINs lock such changes for 15 minutes, and not the log-in.
    """
    _, holder = await queries.patron(db, caller.id)
    confirmed = await confirm_own_pin(run, holder, body.pin.get_secret_value())
    contact = Contact(body.email, body.phone)
    await run(change_own_data, ChangeOwnData(caller.id, confirmed.pin_version, contact))
    return ContactOut(email=contact.email, phone=contact.phone)
