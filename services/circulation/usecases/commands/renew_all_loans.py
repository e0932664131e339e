"""Renew all loans of a patron, or some of them."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals.loans import NoSuchLoan
from services.circulation.domain.refusals.refusal import ItemRefusal, Refusal
from services.circulation.usecases.commands.renew_loan import (
    Renewal,
    post_renewals,
    renew_one,
    renewal_terms,
)
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenewAllLoans:
    """Command to renew a patron's loans; `loan_ids` selects some of them, None: all."""

    patron_id: str
    on: date
    loan_ids: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Attempt:
    """Outcome for one loan: a renewal or a refusal."""

    loan_id: str
    renewal: Renewal | None
    refused: ItemRefusal | None


def renew_all_loans(work: Work, command: RenewAllLoans) -> list[Attempt]:
    """Renew the loans; return the outcome for each, in the order of borrowing.

    Each loan is renewed or refused on its own; the cost of one renewal does not refuse another. Ids
    that are no open loan of the patron come last, as refused.
    """
    loans = store.loans.open_of_patron(work, command.patron_id)
    wanted = command.loan_ids
    if wanted is not None:
        loans = [loan for loan in loans if loan.id in wanted]
    missing = {*(wanted or ())} - {loan.id for loan in loans}
    none = [Attempt(loan_id, None, ItemRefusal.by(NoSuchLoan())) for loan_id in sorted(missing)]
    if not loans:
        return none
    terms = renewal_terms(work, command.patron_id, loans)
    attempts = []
    for loan in loans:
        try:
            renewal = renew_one(work, loan, terms, command.on)
        except Refusal as refusal:
            attempts.append(Attempt(loan.id, None, ItemRefusal.by(refusal)))
        else:
            attempts.append(Attempt(loan.id, renewal, None))
    post_renewals(work, terms, [each.renewal for each in attempts if each.renewal])
    return attempts + none
