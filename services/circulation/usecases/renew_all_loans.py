"""Renew all the loans of a patron."""

from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.refusals import Refusal
from services.circulation.usecases.check_out import Refused
from services.circulation.usecases.renew_loan import (
    Renewal,
    note_renewals,
    renew_one,
    renewal_terms,
)
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenewAllLoans:
    """Whose loans, and on which day."""

    patron_id: str
    on: date


@dataclass(frozen=True)
class Attempt:
    """What became of one loan: a renewal, or a refusal."""

    loan_id: str
    renewal: Renewal | None
    refused: Refused | None


async def renew_all_loans(work: Work, command: RenewAllLoans) -> list[Attempt]:
    """What became of each open loan, in the order of borrowing. Each stands or falls alone."""
    loans = await store.loans.open_of_patron(work, command.patron_id)
    if not loans:
        return []
    terms = await renewal_terms(work, command.patron_id, loans)
    attempts = []
    for loan in loans:
        try:
            renewal = await renew_one(work, loan, terms, command.on)
        except Refusal as refusal:
            attempts.append(Attempt(loan.id, None, Refused.by(refusal)))
        else:
            attempts.append(Attempt(loan.id, renewal, None))
    await note_renewals(work, terms, [each.renewal for each in attempts if each.renewal])
    return attempts
