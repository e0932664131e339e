"""Lend copies to the holder of a card."""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from services.circulation import store
from services.circulation.domain.patron import Patron
from services.circulation.domain.refusals.branches import NoSuchBranch
from services.circulation.domain.refusals.loans import InTheFuture, TooLongAgo
from services.circulation.domain.refusals.patrons import NoSuchCard
from services.circulation.usecases.steps.lend_copies import (
    LendingTerms,
    Lent,
    lend_each,
    save_loans,
)
from shared.unit_of_work import Work, brief

OFFLINE_DAYS = 31
"""Most days by which a check-out may be back-dated, because its station was offline."""


@dataclass(frozen=True)
class CheckOut:
    """Command to lend copies to the holder of a card.

    `patron` is the response of accounts about a card that circulation does not know.
    """

    card_digests: tuple[str, ...] = field(repr=False)
    """Digests of the card with each key, one of which is stored."""
    barcodes: tuple[str, ...]
    branch: str
    on: date
    today: date
    patron: Patron | None = None


@brief
def check_out(work: Work, command: CheckOut) -> list[Lent]:
    """Lend the copies; return the outcome for each, in the order of the command.

    Each copy is lent or refused on its own. Raises InTheFuture, TooLongAgo, NoSuchCard or
    NoSuchBranch for the whole command.
    """
    terms = lending_terms(work, command)
    results = lend_each(terms, command.barcodes)
    save_loans(work, terms, results)
    return results


def lending_terms(work: Work, command: CheckOut) -> LendingTerms:
    """Return the facts that decide the check-out. Raises the refusals of the whole command."""
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    if command.on < command.today - timedelta(days=OFFLINE_DAYS):
        raise TooLongAgo(on=command.on, days=OFFLINE_DAYS)
    holder: dict[str, Any] = {"card_digest": {"$in": list(command.card_digests)}}
    if command.patron is not None:
        store.patrons.note(work, command.patron)
        holder = {"_id": command.patron.id}
    facts = store.facts.of_check_out(work, command.branch, command.barcodes, holder)
    if facts is None:
        raise NoSuchBranch(branch=command.branch)
    # An event may be newer than the response of accounts: the card may have been replaced.
    patron = facts.patron
    if patron is None or patron.card_digest not in command.card_digests:
        raise NoSuchCard
    if facts.borrower.closed:
        raise NoSuchCard
    titles = {copy.title_id for copy in facts.copies.values()}
    return LendingTerms(
        patron=patron,
        borrower=facts.borrower,
        branch=facts.branch,
        policies=facts.policies,
        copies=facts.copies,
        holds={hold.title_id: hold for hold in facts.holds if hold.title_id in titles},
        on=command.on,
        today=command.today,
    )
