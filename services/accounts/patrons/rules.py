"""A patron's state as it is published: blocks, debts, coming of age and erasure."""

from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from services.accounts.cardholders.rules import ADULT, JUNIOR, BlockedBy, Patron
from services.accounts.patrons import refusals
from services.accounts.sign_in.rules import (
    DAY,
    Budget,
    Source,
    StrangersLimits,
    budget_of_everyone,
    budget_of_network,
)

PATIENCE = timedelta(seconds=10)
"""Age from which the job finishes an erasure; before that, the request that began it does."""


def amend(
    patron: Patron,
    *,
    category: str | None = None,
    home_branch: str | None = None,
    language: str | None = None,
    card_digest: str | None = None,
    by_post: bool | None = None,
    sets_expiry: bool = False,
    card_expires_on: date | None = None,
) -> Patron:
    """Return the patron with the given fields changed; the same value if nothing changes.

    The last day of the card changes only if `sets_expiry`; None then means that it never expires.
    """
    amended = replace(
        patron,
        category=category or patron.category,
        home_branch=home_branch or patron.home_branch,
        language=language or patron.language,
        card_digest=card_digest or patron.card_digest,
        by_post=patron.by_post if by_post is None else by_post,
        card_expires_on=card_expires_on if sets_expiry else patron.card_expires_on,
    )
    return amended if amended == patron else _next(amended)


def block(patron: Patron) -> Patron:
    """Return the patron as blocked by the staff. Raises AlreadyBlocked."""
    if "staff" in patron.blocked_by:
        raise refusals.AlreadyBlocked
    return _blocked(patron, {*patron.blocked_by, "staff"})


def unblock(patron: Patron) -> Patron:
    """Return the patron without the staff's block; a block for debt stays. Raises NotBlocked."""
    if "staff" not in patron.blocked_by:
        raise refusals.NotBlocked
    return _blocked(patron, {*patron.blocked_by} - {"staff"})


def with_debt(patron: Patron, *, owes_too_much: bool) -> Patron:
    """Return the patron with or without a block for debt; the same value if nothing changes."""
    blocked: set[BlockedBy] = {*patron.blocked_by} - {"money"}
    if owes_too_much:
        blocked.add("money")
    return patron if blocked == {*patron.blocked_by} else _blocked(patron, blocked)


def erase(patron: Patron) -> Patron:
    """Return the tombstone of a patron: it keeps the id but no card."""
    return _next(
        replace(
            patron,
            status="erased",
            blocked_by=(),
            card_digest="",
            by_post=False,
            card_expires_on=None,
        )
    )


def _blocked(patron: Patron, by: set[BlockedBy]) -> Patron:
    return _next(
        replace(patron, status="blocked" if by else "active", blocked_by=tuple(sorted(by)))
    )


def _next(patron: Patron) -> Patron:
    return replace(patron, version=patron.version + 1)


def is_of_age(born_on: date, on: date, age: int) -> bool:
    """Return whether a person has this age on a day. One born on 29 February has it on 1 March."""
    birthday_is_to_come = (on.month, on.day) < (born_on.month, born_on.day)
    return on.year - born_on.year - birthday_is_to_come >= age


def latest_birth(on: date, age: int) -> date:
    """Return the last date of birth of those who have this age on a day."""
    leap_day = (on.month, on.day) == (2, 29)
    return date(on.year - age, on.month, 28 if leap_day else on.day)


@dataclass(frozen=True, slots=True)
class CardTerms:
    """The validity and renewal of the cards of a category. Without terms cards do not expire."""

    id: str
    """Category of patrons."""
    valid_months: int
    """Months for which a card is valid from the day on which it is issued or renewed."""
    renewable_online: bool
    """False: only the staff renew it, who see a document."""
    warn_days: int
    """Days before the last one from which the patron is warned, and may renew it online."""
    version: int = 1


def expiry(terms: CardTerms | None, on: date) -> date | None:
    """Return the last day of a card that is issued on a day; None: it does not expire."""
    return None if terms is None else months_after(on, terms.valid_months)


def renewable_from(terms: CardTerms, expires_on: date) -> date:
    """Return the first day on which the patron may renew the card, and is warned."""
    return expires_on - timedelta(days=terms.warn_days)


def renew_card(patron: Patron, terms: CardTerms | None, on: date) -> Patron:
    """Return the patron with a renewed card, valid for another period.

    The period counts from `on` or from the card's last day, whichever is later. A card that is
    valid for a whole period already is not renewed, so of two renewals at once one is refused.

    Raises CardDoesNotExpire, NoCardTerms or CardRenewedAlready.
    """
    present = patron.card_expires_on
    if present is None:
        raise refusals.CardDoesNotExpire
    if terms is None:
        raise refusals.NoCardTerms
    if present >= months_after(on, terms.valid_months):
        raise refusals.CardRenewedAlready(expires_on=present)
    until = months_after(max(present, on), terms.valid_months)
    return _next(replace(patron, card_expires_on=until))


def check_own_renewal(
    patron: Patron, terms: CardTerms | None, on: date, *, address_unchanged: bool
) -> None:
    """Raise the refusal of a renewal by the patron, beside those of any renewal.

    Raises RenewAtLibrary, AddressChanged or CardNotDue.
    """
    if terms is None or patron.card_expires_on is None:
        return
    if not terms.renewable_online:
        raise refusals.RenewAtLibrary
    if not address_unchanged:
        raise refusals.AddressChanged
    first = renewable_from(terms, patron.card_expires_on)
    if on < first:
        raise refusals.CardNotDue(expires_on=patron.card_expires_on, renewable_from=first)


def warned_of_expiry(patron: Patron, terms: CardTerms, on: date) -> Patron:
    """Return the patron as warned of the expiry of the card; the same value if that is not due."""
    last = patron.card_expires_on
    is_due = last is not None and renewable_from(terms, last) <= on <= last
    if not is_due or patron.card_warned_for == last:
        return patron
    return _next(replace(patron, card_warned_for=last))


def months_after(day: date, months: int) -> date:
    """Return the same day of the month some months later, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def later(present: date | None, given: date | None) -> date | None:
    """Return the later of a card's last day and the one given by an import; None: for ever."""
    return given if present is None or given is None else max(present, given)


def category_by_age(born_on: date | None, on: date, adult_age: int) -> str:
    """Return the category of a person on a day; one without a date of birth is an adult."""
    return JUNIOR if born_on and not is_of_age(born_on, on, adult_age) else ADULT


APPLICATION = "card-application"
"""Purpose of the codes that confirm an applicant's address, from which they are derived."""
CODE_HOURS = 24
MOST_APPLICATION_TRIES = 5
"""Tries to enter the code, repeated right ones too; after them it is dead."""
MOST_OF_ADDRESS = 5
"""Applications a day with one e-mail address: they don't fill its mailbox."""


@dataclass(frozen=True, slots=True)
class Application:
    """An application for a card. Its code is derived from its id, and stored nowhere.

    Once it is confirmed, its id is that of the patron, and nothing personal is left in it.
    """

    id: str
    name: str = field(repr=False)
    born_on: date | None = field(repr=False)
    email: str = field(repr=False)
    address_digest: str
    """Keyed digest of the e-mail address, of which one confirmed application may exist."""
    pin_hash: str = field(repr=False)
    home_branch: str
    language: str
    expires_at: datetime
    """Wall clock; the database deletes it then."""
    tries: int = 0
    confirmed: bool = False
    version: int = 1


def new_application(
    application_id: str,
    *,
    name: str,
    born_on: date,
    email: str,
    address_digest: str,
    pin_hash: str,
    home_branch: str,
    language: str,
    at: datetime,
) -> Application:
    """Return an application that is to be confirmed."""
    return Application(
        id=application_id,
        name=name,
        born_on=born_on,
        email=email,
        address_digest=address_digest,
        pin_hash=pin_hash,
        home_branch=home_branch,
        language=language,
        expires_at=at + timedelta(hours=CODE_HOURS),
    )


def confirmed(application: Application, until: datetime) -> Application:
    """Return the application as confirmed, without personal data, kept as long as the card."""
    return replace(
        application,
        name="",
        born_on=None,
        email="",
        pin_hash="",
        expires_at=until,
        confirmed=True,
        version=application.version + 1,
    )


def budgets_of_applying(
    stranger: Source, limits: StrangersLimits, address_digest: str
) -> tuple[Budget, ...]:
    """Return the budgets of applications: of a network, of all together, and of an address."""
    return (
        budget_of_network(stranger, limits, "applied"),
        budget_of_everyone(limits, "applied"),
        Budget(f"applied {address_digest}", MOST_OF_ADDRESS, DAY),
    )


def budgets_of_confirming(stranger: Source, limits: StrangersLimits) -> tuple[Budget, ...]:
    """Return the budgets of codes of applications that a network enters, and all together."""
    return (
        budget_of_network(stranger, limits, "confirmed"),
        budget_of_everyone(limits, "confirmed"),
    )


@dataclass(frozen=True, slots=True)
class StaffNote:
    """A note of the staff about a patron, such as "Glasses found: at the desk"."""

    id: str
    patron_id: str
    text: str = field(repr=False)
    by: str
    """Id of the account of the staff."""
    at: datetime
    """Business time, UTC."""
    version: int = 1

    @property
    def personal_of(self) -> str:
        """The patron whose data the note is."""
        return self.patron_id


@dataclass(frozen=True, slots=True)
class Standing:
    """A patron's standing: blocked for debt or not. The newest version holds."""

    id: str
    """Id of the patron."""
    version: int
    owes_too_much: bool


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that was begun, kept until the patron is erased or the erasure is refused."""

    id: str
    """Id of the patron."""
    begun_at: datetime
    """Instant of the last request for it (wall clock)."""
    version: int = 1
    """Number of requests for it."""
