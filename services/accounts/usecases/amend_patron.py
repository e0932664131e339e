"""Change a patron's data."""

from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypedDict

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.coming_of_age import JUNIOR
from services.accounts.domain.patron import Patron, amend
from services.accounts.domain.refusals import CardTaken, NoSuchPatron
from services.accounts.usecases.alert_holder import (
    alert_of_card,
    alert_of_contact,
    alert_of_pin,
)
from services.accounts.usecases.change_contact import change_contact
from services.accounts.usecases.choose_preferences import follow_language
from services.accounts.usecases.end_sessions import end_all
from services.accounts.usecases.link_cards import end_links_by_guardians
from services.accounts.usecases.patron_events import record_patron_event
from shared.contracts.accounts import PatronUpdated
from shared.unit_of_work import Work


class PersonalChanges(TypedDict, total=False):
    """The personal data to change, of a Cardholder; None removes what is known."""

    name: str
    email: str | None
    phone: str | None
    born_on: date | None


@dataclass(frozen=True)
class AmendPatron:
    """The fields to change; None leaves one as it is. A new card needs its number and digest."""

    patron_id: str
    category: str | None = None
    home_branch: str | None = None
    language: str | None = None
    personal: PersonalChanges = field(default_factory=PersonalChanges, repr=False)
    card_number: str | None = field(default=None, repr=False)
    card_digest: str | None = field(default=None, repr=False)
    pin_hash: str | None = field(default=None, repr=False)


def amend_patron(work: Work, command: AmendPatron) -> Patron:
    """Change the patron and return the new state.

    Raises NoSuchPatron or CardTaken.

    An event is published only if data that other services may know has changed. A new language is
    that of the patron's preferences too, unless they have chosen one. A new PIN unlocks the card,
    because the patron came to the desk for it. A new PIN or card ends all sessions. A patron who
    is no longer a junior loses the links to which a guardian agreed. The patron is told of another
    PIN, card or address at the address that was valid before; a new address that replaces another
    has to be confirmed.
    """
    patron = store.patron(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or holder is None:
        raise NoSuchPatron
    number = normal_card(command.card_number or holder.card_number)
    new_card = number != holder.card_number
    if new_card and store.card_is_taken(work, number):
        raise CardTaken
    digest = command.card_digest if new_card and command.card_digest else holder.card_digest
    personal = command.personal
    changed = replace(
        _with_contact(work, holder, personal),
        name=personal.get("name", holder.name),
        born_on=personal.get("born_on", holder.born_on),
        card_number=number,
        card_digest=digest,
        former_digest=None if new_card else holder.former_digest,
    ).with_pin(command.pin_hash)
    if command.pin_hash:
        alert_of_pin(work, holder, "staff")
    if new_card:
        alert_of_card(work, holder)
    if changed != holder:
        store.save_cardholders(work, replace(changed, version=holder.version + 1))
    if command.pin_hash:
        store.attempts.delete_of_card(work, changed.card_digest)
        store.pin_resets.delete_of_card(work, changed.card_digest)
    if command.pin_hash or new_card:
        end_all(work, patron.id)
    amended = amend(
        patron,
        category=command.category,
        home_branch=command.home_branch,
        language=command.language,
        card_digest=digest,
    )
    if amended != patron:
        store.save_patrons(work, amended)
        publish_amended(work, patron, amended)
    return amended


def _with_contact(work: Work, holder: Cardholder, personal: PersonalChanges) -> Cardholder:
    phone = personal.get("phone", holder.phone)
    if "email" in personal:
        return change_contact(work, holder, personal["email"], phone, "staff")
    if phone != holder.phone:
        alert_of_contact(work, holder, "staff", phone=True)
    return replace(holder, phone=phone)


def publish_amended(work: Work, before: Patron, amended: Patron) -> None:
    """Publish a patron's new data, with what follows from them for preferences and links."""
    record_patron_event(work, PatronUpdated, amended)
    if amended.language != before.language:
        follow_language(work, amended)
    if before.category == JUNIOR and amended.category != JUNIOR:
        end_links_by_guardians(work, amended.id)
