"""The e-mail address of a patron who chose e-mail, and links to unsubscribe."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.accounts import queries, store
from services.accounts.domain.new_address import code_for
from services.accounts.domain.pin_reset import code_of
from services.accounts.domain.refusals import BadUnsubscribeLink, NoSuchPatron
from services.accounts.domain.unsubscribing import patron_of_token, unsubscribe_token
from services.accounts.routes.fields import OwnSettings, PatronId
from services.accounts.usecases.turn_off_email import TurnOffEmail, turn_off_email
from shared.auth import OtherService
from shared.clock import wall_clock
from shared.http.bodies import Body
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")


class EmailOut(BaseModel):
    """The address for one message. The service that sends it stores it nowhere."""

    address: str | None = Field(
        description="Null: the patron has not chosen e-mail, or no address is on file."
    )
    unsubscribe: str = Field(description="Token for the link that turns off e-mail.")
    code: str | None = Field(
        default=None,
        description="Code to choose a new PIN or to confirm the address, if the message is to have "
        "one.",
    )


class UnsubscriptionIn(Body):
    """The token of a link to unsubscribe, from an e-mail."""

    token: str = Field(min_length=1, max_length=200)


class UnsubscriptionOut(BaseModel):
    """The channel that is turned off."""

    channel: str


@router.get("/email-addresses/{patron_id}", tags=["patrons"])
@refuses(NoSuchPatron)
async def get_email(
    patron_id: PatronId,
    _caller: OtherService,
    db: Db,
    settings: OwnSettings,
    *,
    pin_reset: Annotated[
        str | None, Query(max_length=64, description="Request for a new PIN: add its code.")
    ] = None,
    alert: Annotated[
        str | None,
        Query(max_length=64, description="Alert: the address from before the change."),
    ] = None,
) -> EmailOut:
    """Get a patron's e-mail address for one message, if the patron has chosen e-mail.

    For the code to choose a new PIN and for an alert the choice does not matter; the address is
    null if the code can no longer be used, or there was no address. The alert of an address that is
    to be confirmed has that address, and its code.
    """
    if alert is not None:
        address, confirms = await queries.address_of_alert(db, alert, patron_id, wall_clock())
        return EmailOut(
            address=address,
            unsubscribe=unsubscribe_token(patron_id, settings.unsubscribe_keys),
            code=code_for(alert, settings.reset_keys) if confirms and address else None,
        )
    setting = await queries.preferences(db, patron_id)
    _, holder = await queries.patron(db, patron_id)
    code = None
    if pin_reset is not None:
        live = await store.pin_resets.find_live(db, pin_reset, wall_clock())
        is_own = live is not None and live.patron_id == patron_id
        code = code_of(pin_reset, settings.reset_keys) if is_own else None
    may_send = code is not None if pin_reset else "email" in setting.preferences.channels
    return EmailOut(
        address=holder.email if may_send else None,
        unsubscribe=unsubscribe_token(patron_id, settings.unsubscribe_keys),
        code=code,
    )


@router.post("/unsubscriptions", tags=["preferences"])
@refuses(BadUnsubscribeLink)
async def post_unsubscription(
    body: UnsubscriptionIn, run: Run, settings: OwnSettings
) -> UnsubscriptionOut:
    """Turn off e-mail by the token of a link, without log-in. Repeating it changes nothing."""
    patron_id = patron_of_token(body.token, settings.unsubscribe_keys)
    if patron_id is None:
        raise BadUnsubscribeLink
    await run(turn_off_email, TurnOffEmail(patron_id))
    return UnsubscriptionOut(channel="email")
