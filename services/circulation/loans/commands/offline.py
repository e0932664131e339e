"""Record what a station lent while it was offline."""

from collections.abc import Sequence
from dataclasses import replace

from services.circulation.calendars import store as calendars_store
from services.circulation.conflicts import store as conflicts_store
from services.circulation.loans.commands.check_out import (
    CheckOut,
    LendingTerms,
    Lent,
    lend_each,
    lending_terms,
    save_loans,
)
from services.circulation.loans.store import loans as store
from services.circulation.refusals import CardExpired, LoanLimit, PatronBlocked
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.conflict import Conflict
from services.circulation.rules.loan import LoanState
from shared.ids import new_id
from shared.unit_of_work import Work


def record_offline_check_outs(work: Work, command: CheckOut) -> list[Lent]:
    """Record the loans; return the outcome for each copy, in the order of the command.

    The copies have left the library already. So a free copy is recorded as lent even if the card
    has expired, or the patron is blocked or at the limit. Each refusal is saved as a conflict for
    the staff. A repeated report changes nothing.

    Raises InTheFuture, TooLongAgo, NoSuchCard or NoSuchBranch for the whole command.
    """
    terms = lending_terms(work, command)
    earlier = _reported_before(work, terms)
    new = [barcode for barcode in command.barcodes if barcode not in earlier]
    lent = lend_each(terms, new, overridden=(CardExpired, PatronBlocked, LoanLimit))
    at = command.time.at if command.time else None
    lent = [
        replace(each, loan=replace(each.loan, lent_at=at)) if each.loan else each for each in lent
    ]
    _keep_conflicts(work, terms, lent)
    save_loans(work, terms, lent)
    by_barcode = earlier | {each.barcode: each for each in lent}
    return [by_barcode[barcode] for barcode in command.barcodes]


def _reported_before(work: Work, terms: LendingTerms) -> dict[str, Lent]:
    """Return the loans of earlier reports of the same check-outs, by barcode, open or ended.

    One that ended the same day may be followed by another check-out, at another time.
    """
    copies = {copy.id for copy in terms.copies.values()}
    at = terms.time.at if terms.time else None
    made = [
        loan
        for loan in store.borrowed_on(work, terms.patron.id, copies, terms.on)
        if loan.state is LoanState.OPEN or loan.lent_at in (None, at)
    ]
    calendars = calendars_store.some(work, {loan.branch_code for loan in made})
    return {
        loan.barcode: Lent(
            loan.barcode,
            loan,
            None,
            loan_rules.renewals_left(loan, calendars[loan.branch_code].now, terms.today),
        )
        for loan in made
    }


def _keep_conflicts(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> None:
    """Save a conflict for each refused copy that has left the library, once for each copy."""
    reported = conflicts_store.reported(work, terms.patron.id, terms.on)
    conflicts = [
        Conflict(
            id=new_id(),
            patron_id=terms.patron.id,
            barcode=each.barcode,
            branch_code=terms.branch.id,
            lent_on=terms.on,
            code=each.refused.code,
            reason=each.refused.reason,
            loan_id=each.loan.id if each.loan else None,
            reported_at=work.now,
        )
        for each in results
        if each.refused is not None and each.barcode not in reported
    ]
    conflicts_store.add(work, conflicts)
