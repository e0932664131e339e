"""Patrons, staff and machines, whose card is their key to an account, with all personal data."""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal, get_args

from shared.search_form import UNSPACED, search_form

StaffRole = Literal["staff", "supervisor", "station", "verifier", "tracer", "admin", "ops"]
Role = Literal["patron", StaffRole]
PersonRole = Literal["staff", "supervisor", "tracer", "admin", "ops"]
PEOPLE: frozenset[str] = frozenset(get_args(PersonRole))
"""The roles of accounts that people have: a station types no codes, and chooses no PIN."""
Status = Literal["active", "blocked", "erased"]
BlockedBy = Literal["staff", "money"]
ChangedBy = Literal["patron", "staff"]
JUNIOR = "junior"
ADULT = "adult"
PROVISIONAL = "provisional"
"""Category of those who registered themselves, until they show a document at the desk."""
PIN_LENGTHS = range(6, 65)
KEPT_FOR = timedelta(days=2)
"""Time for which the address of an alert is kept; notices tries to send it for a day."""


@dataclass(frozen=True, slots=True)
class Patron:
    """A registered borrower. Personal data is in the Cardholder with the same id."""

    id: str
    category: str
    """Category, such as `adult` or `junior`; a library may have others."""
    home_branch: str
    """Branch code."""
    language: str
    """Language: `en`, `zh-Hant` or `zh-Hans`."""
    card_digest: str
    """Keyed digest of the card number; empty once erased."""
    by_post: bool = False
    """True if a postal address is on file; letters reach no other patron."""
    status: Status = "active"
    blocked_by: tuple[BlockedBy, ...] = ()
    """Reasons for the block: the staff, debt, or both. Each is lifted separately."""
    card_expires_on: date | None = None
    """Last day on which the card is valid; None: it does not expire."""
    card_warned_for: date | None = None
    """Last day of the card of which the patron was warned; None: not yet of any."""
    version: int = 1
    """Number of the published version, raised by each change."""

    @property
    def personal_of(self) -> str:
        """The patron, whose erasure ends the stored responses with the digest of the card."""
        return self.id


@dataclass(frozen=True, slots=True)
class Calendar:
    """The link to a patron's calendar feed; a new link replaces it."""

    link: str = field(repr=False)
    """Id of the link. It becomes a secret with a digest, so the database has no secret."""
    with_titles: bool
    """True if the feed shows the titles of items and activities."""
    made_at: datetime


@dataclass(frozen=True, slots=True)
class PostalAddress:
    """The address of letters, as it is printed below the name: each part is one line."""

    lines: tuple[str, ...]
    """One to MOST_LINES lines, such as flat, building and street."""
    locality: str = ""
    """Postcode and town, or district."""
    country: str = ""
    """Empty: that of the library."""


MOST_LINES = 3
"""Lines of a postal address; with name, locality and country it fills the six of a window."""


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address that waits to be confirmed. Its code is derived from its id and stored nowhere."""

    id: str
    email: str = field(repr=False)
    by: ChangedBy
    """The one who entered it."""
    asked_at: datetime
    """Wall clock."""
    expires_at: datetime
    tries: int = 0
    confirmed: bool = False
    """True once it is in use: the same code is then accepted again and changes nothing."""


@dataclass(frozen=True, slots=True)
class SecondFactor:
    """A second factor. Either `secret` or `sealed` has the secret that the app has."""

    id: str
    secret: str | None = field(repr=False)
    """The secret in Base32; None: it is sealed."""
    sealed: str | None = field(repr=False)
    """The secret sealed with one of CARREL_SIGNING_SECRETS."""
    confirmed: bool = False
    """False until a first code has shown that the app has the secret; no code is asked for."""
    last_step: int = 0
    """Time step of the last code that was used: that code and older ones are refused."""
    recovery: tuple[str, ...] = field(default=(), repr=False)
    """Digests of the recovery codes that were not used."""


@dataclass(frozen=True, slots=True)
class ProviderLink:
    """The log-in at the library's identity provider that opens an account of staff."""

    login: str = field(repr=False)
    """User name, e-mail address or `sub` there, in small letters."""
    issuer: str = ""
    subject: str = field(default="", repr=False)
    """`iss` and `sub` of the first log-in, to which the link is bound; empty: there was none."""


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
    postal_address: PostalAddress | None = field(default=None, repr=False)
    """Entered by staff, who see a proof of it."""
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
    provider_link: ProviderLink | None = field(default=None, repr=False)
    """Log-in at the identity provider that opens the account; never set for patrons."""
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


@dataclass(frozen=True, slots=True)
class KeptAddress:
    """The address at which the holder of an account is told of one change."""

    id: str
    """Id of the alert."""
    patron_id: str
    email: str = field(repr=False)
    expires_at: datetime
    """Wall clock; the database deletes it then."""
    version: int = 1


def acceptable_card(card_number: str) -> bool:
    """Return True if a card number has 3 to 40 printable characters of ASCII."""
    card = normal_card(card_number)
    return 3 <= len(card) <= 40 and card.isascii() and card.isprintable()


def normal_card(card_number: str) -> str:
    """Return a card number as it is stored: without surrounding space, in capitals."""
    return card_number.strip().upper()


def acceptable_pin(pin: str) -> bool:
    """Return True if a PIN has 6 to 64 printable characters."""
    return len(pin) in PIN_LENGTHS and pin.isprintable()


FEWEST_DIGITS = 4
"""Fewest digits at the end of a telephone number by which its holder is found."""
MOST_WORDS = 5
_UNSPACED = re.compile(f"[{UNSPACED}]")


def search_terms(holder: Cardholder) -> tuple[str, ...]:
    """Return the terms by which staff find a holder; a search word is the beginning of a term.

    Each word of the name is a term, and in Chinese, written without spaces, what follows each
    character. The e-mail address is a term, and each end of the telephone number with at least
    FEWEST_DIGITS digits, since people give the last ones.
    """
    terms: list[str] = []
    for word in re.findall(r"\w+", search_form(holder.name)):
        starts = range(len(word)) if _UNSPACED.search(word) else (0,)
        terms += [word[start:] for start in starts]
    if holder.email:
        terms.append(search_form(holder.email))
    digits = re.sub(r"\D", "", holder.phone or "")
    terms += [digits[start:] for start in range(len(digits) - FEWEST_DIGITS + 1)]
    return tuple(dict.fromkeys(terms))


def sought(text: str) -> tuple[str, ...]:
    """Return the words of a search for holders, up to MOST_WORDS.

    An e-mail address and a telephone number are one word each.
    """
    form = search_form(text)
    if re.fullmatch(r"[\d\s()+-]*\d[\d\s()+-]*", form):
        return (re.sub(r"\D", "", form),)
    words = [form.strip()] if "@" in form else re.findall(r"\w+", form)
    return tuple(dict.fromkeys(words))[:MOST_WORDS]
