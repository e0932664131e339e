"""My Setting: preferences, addresses, and the link to the calendar feed."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Calendar, Cardholder, PostalAddress
from services.accounts.fields import (
    BranchCode,
    Language,
    OwnSettings,
    PathId,
    PostalAddressIn,
    PostalAddressOut,
    Secret,
)
from services.accounts.preferences import queries, refusals
from services.accounts.preferences.commands import (
    Contact,
    change_own_contact,
    choose_preferences,
    confirm_address,
    end_calendar,
    make_calendar,
    turn_off_email,
)
from services.accounts.preferences.rules import (
    Choices,
    Setting,
    calendar_secret,
    is_live,
    patron_of_token,
    unsubscribe_token,
)
from services.accounts.refusals import NoSuchPatron
from services.accounts.sign_in.commands.confirm_pin import confirm_own_pin
from services.accounts.sign_in.refusals import Locked, WrongPin
from shared import auth
from shared.audit_trail import changes_credentials
from shared.auth import OtherService
from shared.clock import wall_clock
from shared.email_address import EmailAddress
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.refusals import refuses

router = APIRouter(prefix="/v1")

Channel = Literal["inbox", "email", "sms"]
ActivityType = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]


class ContactIn(Body):
    """A patron's e-mail address and telephone number; null: none."""

    email: EmailAddress | None = None
    phone: str | None = Field(default=None, max_length=30, pattern=r"^[0-9 +()-]{3,}$")


class DeskContactIn(ContactIn):
    """A patron's addresses as staff enter them; null: none. The postal address needs a proof."""

    postal_address: PostalAddressIn | None = None

    @property
    def postal(self) -> PostalAddress | None:
        """The postal address as a value."""
        return None if self.postal_address is None else self.postal_address.value()


class ContactOut(BaseModel):
    """A patron's e-mail address, telephone number and postal address."""

    email: str | None = Field(description="The address in use.")
    phone: str | None
    new_email: str | None = Field(
        default=None, description="An address that is used once the patron has confirmed it."
    )
    postal_address: PostalAddressOut | None = Field(
        default=None, description="The address of letters. Staff change it."
    )

    @classmethod
    def of(cls, holder: Cardholder) -> "ContactOut":
        """Build the response from a cardholder."""
        new = holder.new_address
        waits = new.email if new is not None and is_live(new, wall_clock()) else None
        return cls(
            email=holder.email,
            phone=holder.phone,
            new_email=waits,
            postal_address=PostalAddressOut.of(holder.postal_address),
        )


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
    patron_id: PathId,
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
    address, code = await queries.destination(
        db, patron_id, pin_reset=pin_reset, alert=alert, at=wall_clock(), keys=settings.reset_keys
    )
    return EmailOut(
        address=address,
        unsubscribe=unsubscribe_token(patron_id, settings.unsubscribe_keys),
        code=code,
    )


@router.post("/unsubscriptions", tags=["preferences"])
@refuses(refusals.BadUnsubscribeLink)
async def post_unsubscription(
    body: UnsubscriptionIn, run: Run, settings: OwnSettings
) -> UnsubscriptionOut:
    """Turn off e-mail by the token of a link, without log-in. Repeating it changes nothing."""
    patron_id = patron_of_token(body.token, settings.unsubscribe_keys)
    if patron_id is None:
        raise refusals.BadUnsubscribeLink
    await run(turn_off_email, patron_id)
    return UnsubscriptionOut(channel="email")


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
    _, holder = await cardholders_store.find_patron_and_holder(db, caller.id)
    return ContactOut.of(holder)


@router.put("/me/contact", tags=["patrons"])
@refuses(NoSuchPatron, WrongPin, Locked, refusals.TooManyAddresses)
@changes_credentials
async def put_own_contact(body: OwnContactIn, caller: auth.Patron, run: Run, db: Db) -> ContactOut:
    """Replace the patron's own e-mail address and telephone number.

    A new e-mail address is used once it is confirmed with the code that is sent there, until then
    the former one is. That is told of the change. Entering the former address again ends the wait.
    Five wrong PINs lock such changes for 15 minutes, and not the log-in.
    """
    _, holder = await cardholders_store.find_patron_and_holder(db, caller.id)
    confirmed = await confirm_own_pin(run, holder, body.pin.get_secret_value())
    contact = Contact(body.email, body.phone)
    await change_own_contact(run, confirmed, contact)
    _, changed = await cardholders_store.find_patron_and_holder(db, caller.id)
    return ContactOut.of(changed)


@router.put("/me/contact/confirmation", tags=["patrons"])
@refuses(NoSuchPatron, refusals.WrongAddressCode)
@changes_credentials
async def put_confirmation(
    body: ConfirmationIn, caller: auth.Patron, run: Run, db: Db, settings: OwnSettings
) -> ContactOut:
    """Confirm the new e-mail address with the code that was sent there; it is used from now on.

    The code is valid for seven days and for five tries. Repeating the request changes nothing.
    """
    code = body.address_code.get_secret_value()
    await confirm_address(run, caller.id, code, wall_clock(), settings.reset_keys)
    _, holder = await cardholders_store.find_patron_and_holder(db, caller.id)
    return ContactOut.of(holder)


class PreferencesIn(Body):
    """The fields of My Setting to change; an absent or null field stays as it is."""

    followed_branches: tuple[BranchCode, ...] | None = Field(default=None, max_length=100)
    activity_types: tuple[ActivityType, ...] | None = Field(default=None, max_length=50)
    language: Language | None = None
    channels: tuple[Channel, ...] | None = Field(
        default=None,
        max_length=10,
        description="Channels of notifications; `inbox` is always included. `sms` can be kept from "
        "earlier releases and not be added: nothing is sent by it.",
    )
    digest: bool | None = Field(
        default=None,
        description="True: one e-mail a day with all notifications that can wait until then.",
    )
    keep_history: bool | None = None
    automatic_renewal: bool | None = Field(
        default=None,
        description="False: no loan is renewed without the patron's asking for it.",
    )


class PreferencesOut(BaseModel):
    """My Setting."""

    followed_branches: tuple[str, ...]
    activity_types: tuple[str, ...]
    language: str
    channels: tuple[str, ...]
    digest: bool = Field(
        description="True: one e-mail a day with all notifications that can wait until then."
    )
    keep_history: bool
    automatic_renewal: bool = Field(
        description="True: loans are renewed on their due dates where their policy says so."
    )
    reachable_by: tuple[str, ...] = Field(
        description="Channels in use with an address on file, besides `inbox`."
    )
    version: int = Field(
        description="Version of the preferences; 0: the patron has not chosen any yet."
    )

    @classmethod
    def of(cls, setting: Setting) -> "PreferencesOut":
        """Build the response from the preferences and the language in force."""
        preferences = setting.preferences
        return from_attributes(
            cls, preferences, language=setting.language, reachable_by=setting.reachable_by
        )


@router.get("/me/preferences", tags=["preferences"])
@refuses(NoSuchPatron)
async def get_preferences(caller: auth.Patron, db: Db) -> PreferencesOut:
    """Get the patron's preferences (My Setting)."""
    return PreferencesOut.of(await queries.preferences(db, caller.id))


@router.patch("/me/preferences", tags=["preferences"])
@refuses(NoSuchPatron, refusals.NoSuchBranch, refusals.ChannelNotInUse, refusals.NoAddress)
async def patch_preferences(body: PreferencesIn, caller: auth.Patron, run: Run) -> PreferencesOut:
    """Change the patron's preferences (My Setting).

    A channel can be added only if it is in use (`GET /v1/channels`) and its address is on file.
    """
    setting = await run(choose_preferences, caller.id, Choices(**body.model_dump()))
    return PreferencesOut.of(setting)


class CalendarIn(Body):
    """The contents of the feed."""

    with_titles: bool = Field(
        default=False,
        description="True: the feed shows the titles of items and activities.",
    )


class CalendarOut(BaseModel):
    """The link to the patron's calendar feed."""

    path: str | None = Field(
        description="Path of the feed, with its secret; null: there is no link."
    )
    with_titles: bool = Field(
        description="True: the feed shows the titles of items and activities."
    )
    made_at: datetime | None = Field(description="Time when the link was made; null: no link.")

    @classmethod
    def of(cls, calendar: Calendar | None, key: str) -> "CalendarOut":
        """Build the response from a link and the key of its secret."""
        if calendar is None:
            return cls(path=None, with_titles=False, made_at=None)
        secret = calendar_secret(calendar.link, key)
        return cls(
            path=f"/v1/calendars/{secret}.ics",
            with_titles=calendar.with_titles,
            made_at=calendar.made_at,
        )


class LookupIn(Body):
    """The secret in the address of a feed."""

    secret: str = Field(min_length=1, max_length=200)


class LookupOut(BaseModel):
    """The patron whose feed it is, and what it shows."""

    patron_id: str
    language: str
    with_titles: bool


@router.get("/me/calendar", tags=["calendar"])
@refuses(NoSuchPatron)
async def get_calendar(caller: auth.Patron, db: Db, settings: OwnSettings) -> CalendarOut:
    """Get the link to the patron's own calendar feed."""
    _, holder = await cardholders_store.find_patron_and_holder(db, caller.id)
    return CalendarOut.of(holder.calendar, settings.calendar_keys)


@router.post("/me/calendar", status_code=201, tags=["calendar"])
@refuses(NoSuchPatron)
async def post_calendar(
    body: CalendarIn, caller: auth.Patron, run: Run, settings: OwnSettings
) -> CalendarOut:
    """Make a new link to the patron's own calendar feed; the link until now ends at once.

    Everybody who has the link can read the feed, without log-in.
    """
    made = await run(make_calendar, caller.id, body.with_titles)
    return CalendarOut.of(made, settings.calendar_keys)


@router.delete("/me/calendar", status_code=204, tags=["calendar"])
@refuses(NoSuchPatron)
async def delete_calendar(caller: auth.Patron, run: Run) -> None:
    """End the link to the patron's own calendar feed at once. Repeating it changes nothing."""
    await run(end_calendar, caller.id)


@router.post("/calendar-lookups", tags=["calendar"])
@refuses(refusals.NoSuchCalendar)
async def post_lookup(
    body: LookupIn, _caller: OtherService, db: Db, settings: OwnSettings
) -> LookupOut:
    """Return the patron whose feed has this secret. The secret is in the body, not in a path."""
    setting, calendar = await queries.calendar(db, body.secret, settings.calendar_keys)
    return LookupOut(
        patron_id=setting.preferences.id,
        language=setting.language,
        with_titles=calendar.with_titles,
    )
