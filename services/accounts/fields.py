"""Field types and settings that the routes of several subjects have."""

from typing import Annotated, Literal

from fastapi import Depends, Path, Request
from pydantic import AfterValidator, BaseModel, Field, SecretStr, StringConstraints

from services.accounts.cardholders.rules import (
    MOST_LINES,
    PostalAddress,
    acceptable_card,
    acceptable_pin,
    normal_card,
)
from services.accounts.cardholders.store import find_stored_digest
from services.accounts.settings import Settings
from shared.http.bodies import ONE_LINE, Body
from shared.ids import card_digests
from shared.mongo import Database


def _checked_card(card_number: str) -> str:
    if not acceptable_card(card_number):
        raise ValueError("a card number has 3 to 40 characters of ASCII")
    return normal_card(card_number)


def _checked_pin(pin: SecretStr) -> SecretStr:
    if not acceptable_pin(pin.get_secret_value()):
        raise ValueError("a PIN has 6 to 64 printable characters")
    return pin


def _checked_secret(secret: SecretStr) -> SecretStr:
    # JSON can hold a lone UTF-16 surrogate. SecretStr accepts it, but it can't be encoded.
    try:
        secret.get_secret_value().encode()
    except UnicodeEncodeError:
        raise ValueError("not a text") from None
    return secret


def _printable(text: str) -> str:
    line = " ".join(text.split())
    if not line.isprintable():
        raise ValueError("has characters that can't be printed")
    return line


Secret = Annotated[SecretStr, AfterValidator(_checked_secret)]
CardNumber = Annotated[str, Field(max_length=64), AfterValidator(_checked_card)]
NewPin = Annotated[SecretStr, Field(max_length=64), AfterValidator(_checked_pin)]
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), ONE_LINE
]
ProviderLogin = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=255),
    ONE_LINE,
    AfterValidator(str.casefold),
]
"""A log-in at the identity provider, as links have it."""
AddressPart = Annotated[str, StringConstraints(max_length=60), AfterValidator(_printable)]
AddressLine = Annotated[AddressPart, StringConstraints(min_length=1), ONE_LINE]
BranchCode = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,20}$")]
Language = Literal["en", "zh-Hant", "zh-Hans"]
PathId = Annotated[str, Path(max_length=64)]


class PostalAddressIn(Body):
    """A postal address, as it is printed below the name. Nothing of it is guessed or looked up."""

    lines: tuple[AddressLine, ...] = Field(
        min_length=1, max_length=MOST_LINES, description="Such as flat, building and street."
    )
    locality: AddressPart = Field(default="", description="Postcode and town, or district.")
    country: AddressPart = Field(default="", description="Empty: the library's own.")

    def value(self) -> PostalAddress:
        """Return it as a value."""
        return PostalAddress(self.lines, self.locality, self.country)


class PostalAddressOut(BaseModel):
    """A postal address, as it is printed below the name."""

    lines: tuple[str, ...]
    locality: str
    country: str = Field(description="Empty: the library's own.")

    @classmethod
    def of(cls, address: PostalAddress | None) -> "PostalAddressOut | None":
        """Build the response from an address, if there is one."""
        if address is None:
            return None
        return cls(lines=address.lines, locality=address.locality, country=address.country)


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


OwnSettings = Annotated[Settings, Depends(_settings)]


async def digest_of(db: Database, settings: Settings, card_number: str) -> str:
    """Return the digest under which a card is stored, or would be."""
    return await find_stored_digest(db, card_digests(card_number, settings.card_key))
