"""The holds of a patron that a check-out ends: collected, or borrowed in another copy."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import date

from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold, HoldState, cancel, collect
from services.circulation.rules.loan import Loan


def hold_for(holds: Collection[Hold], copy: Copy) -> Hold | None:
    """Return the patron's hold that a copy is kept for or, if there is none, one that it suits."""
    suited = [hold for hold in holds if hold.id == copy.hold_id or hold.target.suits(copy)]
    return max(suited, key=lambda hold: hold.id == copy.hold_id, default=None)


def ended_by(
    holds: Collection[Hold], lent: Sequence[Copy], on: date
) -> Iterator[tuple[Hold, Hold]]:
    """Yield the holds that the loans of some copies end, before and after.

    Borrowing a different copy than the one kept does not collect the hold, so no fee applies. It
    ends the hold if it suits it. The kept copy goes to the next hold in the queue.
    """
    for hold in holds:
        if any(copy.id == hold.copy_id for copy in lent):
            yield hold, collect(hold, on)
        elif any(hold.target.suits(copy) for copy in lent):
            yield hold, cancel(hold, on, "borrowed")


def with_holds(loan: Loan, copy: Copy, ended: Collection[tuple[Hold, Hold]]) -> Loan:
    """Return the loan of a copy with the holds that it ended."""
    own = [
        hold.id
        for hold, after in ended
        if hold.copy_id == copy.id
        or (after.state is not HoldState.COLLECTED and hold.target.suits(copy))
    ]
    return replace(loan, ended_holds=tuple(own)) if own else loan
