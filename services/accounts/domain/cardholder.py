"""Cardholder: the person or machine with a card, with all personal data and the PIN's hash."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Literal

from services.accounts.domain.calendar import Calendar
from services.accounts.domain.new_address import NewAddress
from services.accounts.domain.second_factor import SecondFactor

Role = Literal["patron", "staff", "station", "tracer", "admin", "ops"]


@dataclass(frozen=True, slots=True)
class Cardholder:
    """The holder of a card. Deleting a patron's cardholder, which has the patron's id, erases them.

    Personal fields are left out of the value's `repr`, so that no log or trace contains them.
    """

    id: str
    role: Role
    card_digest: str = field(repr=False)
    """Keyed digest of the card number, unique among the cards of patrons and staff."""
    card_number: str = field(repr=False)
    """Unique too, since a digest depends on the key."""
    name: str = field(repr=False)
    pin_hash: str = field(repr=False)
    """Hash of the PIN by argon2id, with its parameters and salt; empty: none is chosen yet."""
    pin_version: int = 1
    """Number of the PIN among those that the holder has had; a new hash of it keeps the number."""
    email: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    born_on: date | None = field(default=None, repr=False)
    """Date of birth of a junior patron, if they or their parents gave it."""
    status_reason: str | None = field(default=None, repr=False)
    """Reason why staff last blocked or unblocked the patron, in their words."""
    calendar: Calendar | None = field(default=None, repr=False)
    """The patron's calendar feed; None: there is no link to it."""
    new_address: NewAddress | None = field(default=None, repr=False)
    """E-mail address that is used once it is confirmed; it may be out of date."""
    devices: tuple[str, ...] = field(default=(), repr=False)
    """Digests of the devices on which the patron logged in last, the latest at the end."""
    disabled_at: datetime | None = None
    """Instant from which the holder may not log in, by the wall clock; never set for patrons."""
    second_factor: SecondFactor | None = field(default=None, repr=False)
    """Codes that a log-in needs beside the PIN; never set for patrons."""
    former_digest: str | None = field(default=None, repr=False)
    """Digest with the former key of cards, while that is replaced: requests that are under way may
    have it."""
    version: int = 1

    def with_pin(self, pin_hash: str | None) -> "Cardholder":
        """Return the holder with a new PIN, given by its hash; None: it stays as it is.

        No device is known any more.
        """
        if pin_hash is None:
            return self
        return replace(self, pin_hash=pin_hash, pin_version=self.pin_version + 1)

    @property
    def needs_code(self) -> bool:
        """True if a log-in needs a code of the second factor."""
        return self.second_factor is not None and self.second_factor.confirmed

    @property
    def reachable_by(self) -> tuple[str, ...]:
        """Channels in use with an address on file, besides the inbox."""
        return ("email",) if self.email else ()


def acceptable_card(card_number: str) -> bool:
    """Return True if a card number has 3 to 40 printable characters of ASCII."""
    card = normal_card(card_number)
    return 3 <= len(card) <= 40 and card.isascii() and card.isprintable()


def normal_card(card_number: str) -> str:
    """Return a card number as it is stored: without surrounding space, in capitals."""
    return card_number.strip().upper()
