"""The person or machine behind a card: everything personal, and the PIN's hash."""

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["patron", "staff", "station", "ops"]
PIN_LENGTHS = range(6, 65)


@dataclass(frozen=True, slots=True)
class Cardholder:
    """Whose card it is. For a patron the id is the patron's; deleting this erases the person.

    Nothing of it is shown when the value is printed, so that no log or trace can hold it.
    """

    id: str
    role: Role
    card_digest: str = field(repr=False)
    """Unique among all cards, of patrons and staff."""
    card_number: str = field(repr=False)
    name: str = field(repr=False)
    pin_hash: str = field(repr=False)
    """argon2id."""
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    status_reason: str | None = field(default=None, repr=False)
    """Why staff last blocked or unblocked the patron, in their words."""
    version: int = 1


def acceptable_pin(pin: str) -> bool:
    """Whether a PIN has 6 to 64 printable characters."""
    return len(pin) in PIN_LENGTHS and pin.isprintable()


def acceptable_card(card_number: str) -> bool:
    """Whether a card number has 3 to 40 printable characters of ASCII."""
    card = normal_card(card_number)
    return 3 <= len(card) <= 40 and card.isascii() and card.isprintable()


def normal_card(card_number: str) -> str:
    """A card number as it is kept: without surrounding space, in capitals."""
    return card_number.strip().upper()
