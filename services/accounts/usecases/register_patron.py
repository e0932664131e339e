"""Register a patron."""

from dataclasses import dataclass, field
from datetime import date

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.patron import Patron
from services.accounts.domain.preferences import Preferences
from services.accounts.domain.refusals import CardTaken
from services.accounts.usecases.patron_events import record_patron_event
from shared.contracts.accounts import PatronRegistered
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RegisterPatron:
    """A new patron as entered by staff; the PIN is already hashed, because hashing is slow."""

    card_number: str = field(repr=False)
    card_digest: str = field(repr=False)
    pin_hash: str = field(repr=False)
    name: str = field(repr=False)
    category: str
    home_branch: str
    language: str
    email: str | None = field(repr=False)
    phone: str | None = field(repr=False)
    born_on: date | None = field(default=None, repr=False)


def register_patron(work: Work, command: RegisterPatron) -> Patron:
    """Register the patron and return them. Raises CardTaken.

    The result has no personal data, because it is stored as the response to a repeated request,
    where an erasure would have to find it.
    """
    if store.card_is_taken(work, command.card_number):
        raise CardTaken
    patron = Patron(
        id=new_id(),
        category=command.category,
        home_branch=command.home_branch,
        language=command.language,
        card_digest=command.card_digest,
    )
    store.add_patrons(work, patron)
    store.add_preferences(work, Preferences(patron.id))
    store.add_cardholders(
        work,
        Cardholder(
            id=patron.id,
            role="patron",
            card_digest=command.card_digest,
            card_number=normal_card(command.card_number),
            name=command.name,
            pin_hash=command.pin_hash,
            email=command.email,
            phone=command.phone,
            born_on=command.born_on,
        ),
    )
    record_patron_event(work, PatronRegistered, patron)
    return patron
