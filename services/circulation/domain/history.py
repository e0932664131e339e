"""What a patron has read: kept for those who asked, forgotten for all others."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from services.circulation.domain.charge import Charge
from services.circulation.domain.loan import Loan, LoanState


@dataclass(frozen=True, slots=True)
class Reader:
    """Whether a patron wants their reading history kept; `version` is that of their preferences."""

    id: str
    keeps_history: bool
    version: int
    moves: int = 0
    """Counts the loans that went into the history, so that each such move and a change of mind at
    the same moment meet."""


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
    """The loan as history, once it is over and nothing is open about its charges; else None."""
    if loan.state is not LoanState.RETURNED or loan.returned_on is None:
        return None
    if any(charge.outstanding_cents or charge.refund_due_cents for charge in charges):
        return None
    return PastLoan(
        id=loan.id,
        patron_id=loan.patron_id,
        title_id=loan.title_id,
        branch_code=loan.branch_code,
        borrowed_on=loan.borrowed_on,
        returned_on=loan.returned_on,
    )
