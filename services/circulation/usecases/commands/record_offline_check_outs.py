"""Record the check-outs that a station made while it was offline."""

from collections.abc import Sequence

from services.circulation import store
from services.circulation.domain.conflict import Conflict
from services.circulation.domain.loan import renewals_left
from services.circulation.domain.refusals.loans import LoanLimit
from services.circulation.domain.refusals.patrons import PatronBlocked
from services.circulation.usecases.commands.check_out import CheckOut, lending_terms
from services.circulation.usecases.steps.lend_copies import (
    LendingTerms,
    Lent,
    lend_each,
    save_loans,
)
from shared.ids import new_id
from shared.unit_of_work import Work


async def record_offline_check_outs(work: Work, command: CheckOut) -> list[Lent]:
    """Record the loans; return the outcome for each copy, in the order of the command.

    The copies have left the library already. So a free copy is recorded as lent even if the patron
    is blocked or at the limit. Each refusal is saved as a conflict for the staff. A repeated report
    changes nothing.

    Raises InTheFuture, TooLongAgo, NoSuchCard or NoSuchBranch for the whole command.
    """
    terms = await lending_terms(work, command)
    results = lend_each(terms, command.barcodes, overridden=(PatronBlocked, LoanLimit))
    results = await _reported_before(work, terms, results)
    await _keep_conflicts(work, terms, results)
    await save_loans(work, terms, results)
    return results


async def _reported_before(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> list[Lent]:
    """Return the results, with the loans that an earlier report of the same check-outs made."""
    refused = [
        terms.copies[each.barcode].id
        for each in results
        if each.loan is None and each.barcode in terms.copies
    ]
    made = await store.loans.open_of_copies(work, refused)
    same = {
        loan.barcode: loan
        for loan in made.values()
        if (loan.patron_id, loan.borrowed_on) == (terms.patron.id, terms.on)
    }
    calendars = await store.calendars.some(work, {loan.branch_code for loan in same.values()})
    left = {
        barcode: renewals_left(loan, calendars[loan.branch_code].now, terms.today)
        for barcode, loan in same.items()
    }
    return [
        Lent(each.barcode, same[each.barcode], None, left[each.barcode])
        if each.barcode in same
        else each
        for each in results
    ]


async def _keep_conflicts(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> None:
    """Save a conflict for each refused copy that has left the library, once for each copy."""
    known = await store.conflicts.known(work, terms.patron.id, terms.on)
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
        if each.refused is not None and each.barcode not in known
    ]
    await store.conflicts.add(work, conflicts)
