"""Reading history: kept for the patrons who asked for it, deleted for all others."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.circulation.rules.charge import Charge
from services.circulation.rules.loan import Loan, LoanState


@dataclass(frozen=True, slots=True)
class Reader:
    """A patron's choices about history and renewals; `version` is that of their preferences."""

    id: str
    keeps_history: bool
    version: int
    moves: int = 0
    """Number of loans moved into the history.
    Each move writes it, so a move and a change of the choice at the same time conflict."""
    renews_automatically: bool = True
    """False: the patron wants no loan renewed without asking for it."""


def renews_on_due_date(loan: Loan, reader: Reader | None) -> bool:
    """Return whether an open loan is to be renewed on its due date if it then can be."""
    wanted = reader is None or reader.renews_automatically
    by_days = loan.state is LoanState.OPEN and loan.due_time is None
    return loan.policy.renews_automatically and by_days and wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class PastLoan:
    """A loan in its patron's reading history."""

    id: str
    patron_id: str
    title_id: str
    branch_code: str
    borrowed_on: date
    returned_on: date


def past(loan: Loan, charges: Iterable[Charge]) -> PastLoan | None:
    """Return the loan as history if it is over and nothing is open about its charges, else None."""
    if loan.state is not LoanState.RETURNED or loan.returned_on is None:
        return None
    if any(charge.is_open for charge in charges):
        return None
    return PastLoan(
        id=loan.id,
        patron_id=loan.patron_id,
        title_id=loan.title_id,
        branch_code=loan.branch_code,
        borrowed_on=loan.borrowed_on,
        returned_on=loan.returned_on,
    )
