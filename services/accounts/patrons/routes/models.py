"""Requests and responses of patrons."""

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints

from services.accounts.cardholders.rules import BlockedBy, Cardholder, Patron, Status
from services.accounts.fields import BranchCode, CardNumber, Language, Name, NewPin, Secret
from services.accounts.preferences.routes import ContactOut, DeskContactIn
from shared.clock import wall_clock
from shared.http.bodies import Body, Day, from_attributes


def _in_the_past(born_on: date) -> date:
    if not OLDEST <= born_on <= wall_clock().date():
        raise ValueError("a date of birth is in the past, and not before 1900")
    return born_on


OLDEST = date(1900, 1, 1)
BirthDate = Annotated[date, AfterValidator(_in_the_past)]
Category = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{0,39}$")]


class PatronIn(Body):
    """A new patron."""

    card_number: CardNumber
    pin: NewPin
    name: Name
    category: Category
    home_branch: BranchCode
    language: Language
    contact: DeskContactIn = DeskContactIn()
    born_on: BirthDate | None = Field(
        default=None, description="Date of birth; a junior with one becomes an adult in time."
    )
    card_expires_on: Day | None = Field(
        default=None,
        description="Last day on which the card is valid; without one, the card terms of the "
        "category say how long.",
    )


class PatronChanges(Body):
    """The fields of a patron to change; an absent field stays as it is.

    `null` removes an e-mail address, a telephone number, a postal address, a date of birth or the
    expiry of the card, and leaves any other field as it is.
    """

    card_number: CardNumber | None = Field(
        default=None, description="Number of the card that replaces the patron's card."
    )
    pin: NewPin | None = None
    name: Name | None = None
    category: Category | None = None
    home_branch: BranchCode | None = None
    language: Language | None = None
    contact: DeskContactIn | None = None
    born_on: BirthDate | None = None
    card_expires_on: Day | None = None


class PatronOut(BaseModel):
    """A patron with personal data: for staff, and for the patron."""

    id: str
    card_number: str
    name: str
    category: str
    home_branch: str
    language: str
    status: Status
    blocked_by: tuple[BlockedBy, ...] = Field(
        description="Reasons for the block: `staff` (blocked by staff), `money` (the patron owes "
        "too much; a moment after circulation has decided it); empty: not blocked."
    )
    version: int
    contact: ContactOut
    born_on: date | None
    card_expires_on: date | None = Field(
        description="Last day on which the card is valid; null: it does not expire."
    )
    status_reason: str | None = None

    @classmethod
    def of(cls, patron: Patron, holder: Cardholder) -> "PatronOut":
        """Build the response from a patron and their cardholder."""
        return from_attributes(
            cls,
            patron,
            card_number=holder.card_number,
            name=holder.name,
            contact=ContactOut.of(holder),
            born_on=holder.born_on,
            status_reason=holder.status_reason,
        )


class PatronCheckIn(Body):
    """A card to check, and a PIN if one was typed."""

    card_number: str = Field(min_length=1, max_length=64)
    pin: Secret | None = Field(default=None, min_length=1, max_length=64)


class PatronCheckOut(BaseModel):
    """Facts about the holder of a card that decide whether they may use a service."""

    status: Status
    blocked_by: tuple[BlockedBy, ...]
    card_expires_on: date | None
    pin_is_right: bool | None = Field(description="Null: no PIN was sent.")


class PatronRef(BaseModel):
    """A patron without personal data: for stations and services."""

    id: str
    category: str
    home_branch: str
    language: str
    status: Status
    blocked_by: tuple[BlockedBy, ...]
    card_digest: str
    version: int
    card_expires_on: date | None

    @classmethod
    def of(cls, patron: Patron, _: Cardholder | None = None) -> "PatronRef":
        """Build the response from a patron."""
        return from_attributes(cls, patron)
