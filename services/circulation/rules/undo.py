"""The undo of a check-out or a return that was a mistake at the desk."""

from dataclasses import replace
from datetime import date, datetime, timedelta

from services.circulation.refusals import ReturnNotMade, TooLateToUndo
from services.circulation.rules.loan import Channel, Loan, LoanState, Step, next_state

UNDO_WITHIN = timedelta(minutes=15)
"""Time for which a check-out or a return can be undone. A mistake is noticed at the desk within
minutes; later the patron may have read the item, or been told of the return."""


def undo_check_out(
    loan: Loan, *, branch_code: str, age: timedelta | None, channel: Channel | None = None
) -> Loan:
    """Return the loan as ended, though it never came back; `age` is the time since it was made.

    With a `channel`, only a check-out of that channel is undone.

    Raises LoanLost, LoanNotOpen, or TooLateToUndo if it is older, of another branch or channel, or
    changed.
    """
    state = next_state(loan, Step.UNDO_CHECK_OUT)
    if age is None or age > UNDO_WITHIN or loan.branch_code != branch_code or loan.version > 1:
        raise TooLateToUndo
    if channel not in (None, loan.lent_through):
        raise TooLateToUndo
    return replace(loan, state=state, version=loan.version + 1)


def undo_return(
    loan: Loan, *, branch_code: str, on: date, at: datetime, channel: Channel | None = None
) -> Loan:
    """Return the loan as it was before its return, open again.

    With a `channel`, only a return of that channel is undone.

    Raises LoanLost, ReturnNotMade if it is open, or TooLateToUndo if it came back earlier, at
    another branch, by another channel, for another day than it was scanned on, or from a loss.
    """
    if loan.state is LoanState.OPEN:
        raise ReturnNotMade
    state = next_state(loan, Step.UNDO_RETURN)
    if (
        loan.returned_at is None
        or at - loan.returned_at > UNDO_WITHIN
        or (loan.returned_on, loan.returned_branch) != (on, branch_code)
        or channel not in (None, loan.returned_through)
        or loan.lost_on is not None
    ):
        raise TooLateToUndo
    return replace(
        loan,
        state=state,
        returned_on=None,
        returned_branch=None,
        returned_through=None,
        returned_at=None,
        final_fine=None,
        version=loan.version + 1,
    )


def may_be_undone(loan: Loan, at: datetime) -> bool:
    """Return whether a returned loan is kept because its return can still be undone."""
    return loan.returned_at is not None and at - loan.returned_at <= UNDO_WITHIN
