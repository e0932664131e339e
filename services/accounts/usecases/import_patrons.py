"""Import patrons from another system, many in one transaction; a repeat saves only changes."""

from dataclasses import dataclass, field, replace
from typing import Literal

from services.accounts import store
from services.accounts.domain.cardholder import Cardholder, normal_card
from services.accounts.domain.patron import Patron, amend
from services.accounts.domain.preferences import Preferences
from services.accounts.usecases.alert_holder import alert_of_contact
from services.accounts.usecases.amend_patron import publish_amended
from services.accounts.usecases.patron_events import record_patron_event
from services.accounts.usecases.register_patron import RegisterPatron
from shared.contracts.accounts import PatronRegistered
from shared.ids import new_id
from shared.unit_of_work import Work

Outcome = Literal["added", "changed", "unchanged", "taken"]
"""Result for one patron; `taken`: the card belongs to staff, a station or an operator."""


@dataclass(frozen=True)
class ImportPatrons:
    """Patrons to import, each with a different card.

    No PIN matches an empty `pin_hash`: the patron gets a PIN at the desk.
    """

    patrons: tuple[RegisterPatron, ...] = field(repr=False)


def import_patrons(work: Work, command: ImportPatrons) -> list[Outcome]:
    """Import the patrons and return the outcome of each, in the order of the command.

    Each patron succeeds or fails on its own. A known patron is recognised by the card, and keeps
    their PIN, which may have changed since the first import. An address of the other system is used
    at once; the former one is told.
    """
    numbers = [given.card_number for given in command.patrons]
    holders = store.holders_of_numbers(work, numbers)
    patrons = store.patrons(work, [holder.id for holder in holders.values()])
    outcomes: list[Outcome] = []
    new: list[tuple[Patron, Cardholder]] = []
    changed: list[Cardholder] = []
    amended: list[tuple[Patron, Patron]] = []
    for given in command.patrons:
        holder = holders.get(normal_card(given.card_number))
        if holder is None:
            new.append(_new(given))
            outcomes.append("added")
            continue
        if holder.id not in patrons:
            outcomes.append("taken")
            continue
        before = patrons[holder.id]
        patron = amend(
            before,
            category=given.category,
            home_branch=given.home_branch,
            language=given.language,
        )
        person = replace(holder, name=given.name, email=given.email, phone=given.phone)
        if person != holder:
            changed.append(replace(person, version=holder.version + 1))
        if holder.email and person.email != holder.email:
            replaced = person.email is not None
            told = {"changed": replaced, "removed": not replaced}
            alert_of_contact(work, holder, "staff", **told)
        if patron != before:
            amended.append((before, patron))
        outcomes.append("unchanged" if (patron, person) == (before, holder) else "changed")
    store.add_patrons(work, *(patron for patron, _ in new))
    store.add_preferences(work, *(Preferences(patron.id) for patron, _ in new))
    store.add_cardholders(work, *(holder for _, holder in new))
    store.save_cardholders(work, *changed)
    store.save_patrons(work, *(patron for _, patron in amended))
    for patron, _ in new:
        record_patron_event(work, PatronRegistered, patron)
    for before, patron in amended:
        publish_amended(work, before, patron)
    return outcomes


def _new(given: RegisterPatron) -> tuple[Patron, Cardholder]:
    patron = Patron(
        id=new_id(),
        category=given.category,
        home_branch=given.home_branch,
        language=given.language,
        card_digest=given.card_digest,
    )
    holder = Cardholder(
        id=patron.id,
        role="patron",
        card_digest=given.card_digest,
        card_number=normal_card(given.card_number),
        name=given.name,
        pin_hash=given.pin_hash,
        email=given.email,
        phone=given.phone,
    )
    return patron, holder
