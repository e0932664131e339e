"""Make a junior patron an adult one on their birthday."""

from dataclasses import dataclass
from datetime import date

from services.accounts import store
from services.accounts.domain.coming_of_age import ADULT, JUNIOR, is_of_age
from services.accounts.domain.patron import amend
from services.accounts.usecases.link_cards import end_links_by_guardians
from services.accounts.usecases.patron_events import record_patron_event
from shared.contracts.accounts import PatronCameOfAge
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ComeOfAge:
    """A junior patron who may have come of age by `on`; adults are `age` years old."""

    patron_id: str
    on: date
    age: int


def come_of_age(work: Work, command: ComeOfAge) -> bool:
    """Change the patron's category and publish it; return False if there is nothing to change.

    Links of cards to which a guardian agreed end: adults agree themselves.
    """
    patron = store.patron(work, command.patron_id)
    holder = store.cardholder(work, command.patron_id)
    if patron is None or holder is None or holder.born_on is None or patron.category != JUNIOR:
        return False
    if not is_of_age(holder.born_on, command.on, command.age):
        return False
    adult = amend(patron, category=ADULT)
    store.save_patrons(work, adult)
    record_patron_event(work, PatronCameOfAge, adult)
    end_links_by_guardians(work, adult.id)
    return True
