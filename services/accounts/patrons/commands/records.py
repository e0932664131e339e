"""Register, import, amend, block and unblock patrons, and renew the digests of their cards."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Literal, TypedDict

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.commands import alert_of_card, alert_of_contact, alert_of_pin
from services.accounts.cardholders.rules import (
    ADULT,
    JUNIOR,
    Cardholder,
    Patron,
    PostalAddress,
    normal_card,
)
from services.accounts.family import store as family_store
from services.accounts.family.commands import end_links_by_guardians
from services.accounts.passkeys import store as passkeys_store
from services.accounts.patrons import store
from services.accounts.patrons.events import record_block_event, record_patron_event
from services.accounts.patrons.rules import (
    Standing,
    amend,
    block,
    expiry,
    is_of_age,
    later,
    unblock,
    with_debt,
)
from services.accounts.pins import store as pins_store
from services.accounts.preferences import store as preferences_store
from services.accounts.preferences.commands import change_contact, follow_language
from services.accounts.preferences.rules import Preferences
from services.accounts.refusals import CardTaken
from services.accounts.sign_in import store as sign_in_store
from services.accounts.sign_in.commands.sessions import end_all
from shared.contracts.accounts import PatronCameOfAge, PatronRegistered, PatronUpdated
from shared.contracts.circulation import ChargeSnapshot
from shared.ids import card_digest, new_id
from shared.unit_of_work import Work

Outcome = Literal["added", "changed", "unchanged", "taken"]
"""Result for one patron; `taken`: the card belongs to staff, a station or an operator."""


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
    postal_address: PostalAddress | None = field(default=None, repr=False)
    card_expires_on: date | None = None
    """Last day of the card; None: as the terms of the category say."""
    valid_from: date | None = None
    """Day from which the terms count; None: they do not apply, and the card does not expire."""
    id: str = field(default_factory=new_id)


def register_patron(work: Work, command: RegisterPatron) -> Patron:
    """Register the patron and return them. Raises CardTaken.

    The result has no personal data, because it is stored as the response to a repeated request,
    where an erasure would have to find it.
    """
    if cardholders_store.card_is_taken(work, command.card_number):
        raise CardTaken
    patron, holder = _new(command)
    if patron.card_expires_on is None and command.valid_from is not None:
        terms = store.card_terms(work, command.category)
        patron = replace(patron, card_expires_on=expiry(terms, command.valid_from))
    _add(work, [(patron, holder)])
    return patron


def _new(command: RegisterPatron) -> tuple[Patron, Cardholder]:
    patron = Patron(
        id=command.id,
        category=command.category,
        home_branch=command.home_branch,
        language=command.language,
        card_digest=command.card_digest,
        by_post=command.postal_address is not None,
        card_expires_on=command.card_expires_on,
    )
    holder = Cardholder(
        id=patron.id,
        role="patron",
        card_digest=command.card_digest,
        card_number=normal_card(command.card_number),
        name=command.name,
        pin_hash=command.pin_hash,
        email=command.email,
        phone=command.phone,
        postal_address=command.postal_address,
        born_on=command.born_on,
    )
    return patron, holder


def _add(work: Work, new: Sequence[tuple[Patron, Cardholder]]) -> None:
    patrons = [patron for patron, _ in new]
    cardholders_store.add_patrons(work, *patrons)
    preferences_store.add_preferences(work, *(Preferences(patron.id) for patron in patrons))
    cardholders_store.add_cardholders(work, *(holder for _, holder in new))
    for patron in patrons:
        record_patron_event(work, PatronRegistered, patron)


class PersonalChanges(TypedDict, total=False):
    """The personal data to change, of a Cardholder; None removes what is known."""

    name: str
    email: str | None
    phone: str | None
    postal_address: PostalAddress | None
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
    sets_expiry: bool = False
    """True if `card_expires_on` replaces the last day of the card."""
    card_expires_on: date | None = None


def amend_patron(work: Work, command: AmendPatron) -> Patron:
    """Change the patron and return the new state.

    Raises NoSuchPatron or CardTaken.

    An event is published only if data that other services may know has changed. A new language is
    that of the patron's preferences too, unless they have chosen one. A new PIN unlocks the card,
    because the patron came to the desk for it, and ends passkeys: somebody who knew the former PIN
    may have added one. A new card keeps them. A new PIN or card ends all sessions. A patron who
    is no longer a junior loses the links to which a guardian agreed. The patron is told of another
    PIN, card or address at the address that was valid before; a new address that replaces another
    has to be confirmed.
    """
    patron, holder = cardholders_store.patron_and_holder(work, command.patron_id)
    number = normal_card(command.card_number or holder.card_number)
    new_card = number != holder.card_number
    if new_card and cardholders_store.card_is_taken(work, number):
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
        cardholders_store.save_cardholders(work, changed)
    if command.pin_hash:
        sign_in_store.delete_attempts(work, changed.card_digest)
        pins_store.delete_of_card(work, changed.card_digest)
        passkeys_store.delete_of_account(work, patron.id)
    if command.pin_hash or new_card:
        end_all(work, patron.id)
    amended = amend(
        patron,
        category=command.category,
        home_branch=command.home_branch,
        language=command.language,
        card_digest=digest,
        by_post=changed.postal_address is not None,
        sets_expiry=command.sets_expiry,
        card_expires_on=command.card_expires_on,
    )
    if amended != patron:
        cardholders_store.save_patrons(work, amended)
        publish_amended(work, patron, amended)
    return amended


def _with_contact(work: Work, holder: Cardholder, personal: PersonalChanges) -> Cardholder:
    phone = personal.get("phone", holder.phone)
    address = personal.get("postal_address", holder.postal_address)
    moved = address != holder.postal_address
    if "email" in personal:
        email = personal["email"]
        changed = change_contact(work, holder, email, phone, "staff", postal=moved)
        return replace(changed, postal_address=address)
    if phone != holder.phone or moved:
        alert_of_contact(work, holder, "staff", phone=phone != holder.phone, postal=moved)
    return replace(holder, phone=phone, postal_address=address)


def publish_amended(work: Work, before: Patron, amended: Patron) -> None:
    """Publish a patron's new data, with what follows from them for preferences and links."""
    record_patron_event(work, PatronUpdated, amended)
    if amended.language != before.language:
        follow_language(work, amended)
    if before.category == JUNIOR and amended.category != JUNIOR:
        end_links_by_guardians(work, amended.id)


@dataclass(frozen=True)
class ImportPatrons:
    """Patrons to import, each with a different card.

    No PIN matches an empty `pin_hash`: the patron gets a PIN at the desk.
    """

    patrons: tuple[RegisterPatron, ...] = field(repr=False)


def import_patrons(work: Work, command: ImportPatrons) -> list[Outcome]:
    """Import the patrons and return the outcome of each, in the order of the command.

    Each patron succeeds or fails on its own. A known patron is recognised by the card, and keeps
    their PIN and a renewed card, which may have changed since the first import, and their postal
    address if the other system gives none. An e-mail address of the other system is used at once;
    the former one is told, also of another postal address.
    """
    numbers = [given.card_number for given in command.patrons]
    holders = cardholders_store.holders_of_numbers(work, numbers)
    patrons = cardholders_store.patrons(work, [holder.id for holder in holders.values()])
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
            by_post=True if given.postal_address else None,
            sets_expiry=given.card_expires_on is not None,
            card_expires_on=later(before.card_expires_on, given.card_expires_on),
        )
        person = replace(
            holder,
            name=given.name,
            email=given.email,
            phone=given.phone,
            postal_address=given.postal_address or holder.postal_address,
        )
        if person != holder:
            changed.append(person)
        _alert_of_import(work, holder, person)
        if patron != before:
            amended.append((before, patron))
        outcomes.append("unchanged" if (patron, person) == (before, holder) else "changed")
    _add(work, new)
    cardholders_store.save_cardholders(work, *changed)
    cardholders_store.save_patrons(work, *(patron for _, patron in amended))
    for before, patron in amended:
        publish_amended(work, before, patron)
    return outcomes


def _alert_of_import(work: Work, before: Cardholder, after: Cardholder) -> None:
    """Tell the former addresses of a holder that an import has replaced or removed them."""
    mail = before.email is not None and after.email != before.email
    home = before.postal_address
    moved = home is not None and after.postal_address != home
    if mail or moved:
        removed = mail and after.email is None
        changed = mail and not removed
        alert_of_contact(work, before, "staff", changed=changed, removed=removed, postal=moved)


def come_of_age(work: Work, patron_id: str, on: date, age: int) -> bool:
    """Make a junior patron an adult who has this age on a day; return whether they had it.

    Links of cards to which a guardian agreed end: adults agree themselves.
    """
    patron = cardholders_store.patron(work, patron_id)
    holder = cardholders_store.cardholder(work, patron_id)
    if patron is None or holder is None or holder.born_on is None or patron.category != JUNIOR:
        return False
    if not is_of_age(holder.born_on, on, age):
        return False
    adult = amend(patron, category=ADULT)
    cardholders_store.save_patrons(work, adult)
    record_patron_event(work, PatronCameOfAge, adult)
    end_links_by_guardians(work, adult.id)
    return True


@dataclass(frozen=True)
class RenewDigests:
    """The holders of some cards, and the keys of digests, the newest first."""

    holder_ids: tuple[str, ...]
    keys: str = field(repr=False)


def renew_digests(work: Work, command: RenewDigests) -> int:
    """Renew the digests that were made with another key; return how many.

    Events tell circulation of the patrons'. The former digest is accepted until it is forgotten,
    because a request that is under way may have it. What is counted of wrong PINs begins anew.
    """
    found = cardholders_store.cardholders(work, command.holder_ids)
    digests = {one: card_digest(one.card_number, command.keys) for one in found}
    changed = {one: digest for one, digest in digests.items() if digest != one.card_digest}
    patrons = cardholders_store.patrons(work, [one.id for one in changed])
    for holder, digest in changed.items():
        former = holder.card_digest
        renewed = replace(holder, card_digest=digest, former_digest=former)
        cardholders_store.save_cardholders(work, renewed)
        sign_in_store.delete_attempts(work, former)
        pins_store.change_digest(work, former, digest)
        family_store.change_digest(work, former, digest)
        if holder.id in patrons:
            patron = amend(patrons[holder.id], card_digest=digest)
            cardholders_store.save_patrons(work, patron)
            record_patron_event(work, PatronUpdated, patron)
    return len(changed)


def forget_former_digests(work: Work, holder_ids: tuple[str, ...]) -> None:
    """Delete the former digests of some cards, with what was counted under them since."""
    for holder in cardholders_store.cardholders(work, holder_ids):
        if holder.former_digest is not None:
            sign_in_store.delete_attempts(work, holder.former_digest)
            cardholders_store.save_cardholders(work, replace(holder, former_digest=None))


def block_patron(work: Work, patron_id: str, reason: str) -> Patron:
    """Block the patron, end their sessions and return the new state.

    The reason is in the words of the staff and is not published. A blocked patron may log in again.
    Raises NoSuchPatron or AlreadyBlocked.
    """
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    blocked = block(patron)
    cardholders_store.save_patrons(work, blocked)
    cardholders_store.save_cardholders(work, replace(holder, status_reason=reason))
    end_all(work, patron.id)
    record_block_event(work, patron, blocked)
    return blocked


def unblock_patron(work: Work, patron_id: str, reason: str) -> Patron:
    """Lift the staff's block and return the new state. Raises NoSuchPatron or NotBlocked."""
    patron, holder = cardholders_store.patron_and_holder(work, patron_id)
    unblocked = unblock(patron)
    cardholders_store.save_patrons(work, unblocked)
    cardholders_store.save_cardholders(work, replace(holder, status_reason=reason))
    record_block_event(work, patron, unblocked)
    return unblocked


def note_standing(work: Work, event: ChargeSnapshot) -> None:
    """Block or unblock the patron by the newest standing. A block by the staff stays."""
    patron = cardholders_store.patron(work, event.patron_id)
    if patron is None or event.standing is None:
        return
    standing = Standing(patron.id, event.standing.version, event.standing.blocked)
    if not store.note_standing(work, standing):
        return
    changed = with_debt(patron, owes_too_much=standing.owes_too_much)
    if changed is not patron:
        cardholders_store.save_patrons(work, changed)
        record_block_event(work, patron, changed)
