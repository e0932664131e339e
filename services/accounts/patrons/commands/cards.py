"""Set for how long cards are valid, renew a card, and warn of its expiry."""

from dataclasses import replace
from datetime import date

from services.accounts.cardholders import store as cardholders_store
from services.accounts.cardholders.rules import Patron
from services.accounts.patrons import store
from services.accounts.patrons.events import record_patron_event
from services.accounts.patrons.refusals import NoCardTerms
from services.accounts.patrons.rules import (
    CardTerms,
    check_own_renewal,
    renew_card,
    warned_of_expiry,
)
from services.accounts.refusals import NoSuchPatron
from shared.contracts.accounts import PatronCardExpiring, PatronCardRenewed
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def set_card_terms(work: Work, terms: CardTerms) -> CardTerms:
    """Set the terms of the cards of a category, for cards issued or renewed from now on."""
    present = store.card_terms(work, terms.id)
    changed = terms if present is None else replace(terms, version=present.version + 1)
    store.save_card_terms(work, changed)
    return changed


def delete_card_terms(work: Work, category: str) -> None:
    """Delete the terms of a category: new cards do not expire. Raises NoCardTerms."""
    if store.card_terms(work, category) is None:
        raise NoCardTerms
    store.delete_card_terms(work, category)


def renew_own_card(work: Work, patron_id: str, on: date, *, address_unchanged: bool) -> Patron:
    """Renew a card for its patron, who declares whether the address is unchanged.

    Raises NoSuchPatron, or a refusal of `check_own_renewal` or `renew_card`.
    """
    patron = _patron(work, patron_id)
    terms = store.card_terms(work, patron.category)
    check_own_renewal(patron, terms, on, address_unchanged=address_unchanged)
    return _renew(work, patron, terms, on)


def renew_card_at_desk(work: Work, patron_id: str, on: date) -> Patron:
    """Renew a patron's card for the staff. Raises NoSuchPatron or a refusal of `renew_card`."""
    patron = _patron(work, patron_id)
    return _renew(work, patron, store.card_terms(work, patron.category), on)


def _patron(work: Work, patron_id: str) -> Patron:
    return or_refuse(cardholders_store.patron(work, patron_id), NoSuchPatron)


def _renew(work: Work, patron: Patron, terms: CardTerms | None, on: date) -> Patron:
    renewed = renew_card(patron, terms, on)
    cardholders_store.save_patrons(work, renewed)
    record_patron_event(work, PatronCardRenewed, renewed)
    return renewed


def warn_of_expiry(work: Work, patron_id: str, on: date) -> bool:
    """Publish that a patron's card is about to expire; return False if that needs no warning.

    The patron notes the expiry of which they were warned: of two jobs at once one is run again, and
    then finds nothing to do.
    """
    patron = cardholders_store.patron(work, patron_id)
    terms = store.card_terms(work, patron.category) if patron else None
    if patron is None or terms is None:
        return False
    warned = warned_of_expiry(patron, terms, on)
    if warned is patron:
        return False
    cardholders_store.save_patrons(work, warned)
    record_patron_event(work, PatronCardExpiring, warned)
    return True
