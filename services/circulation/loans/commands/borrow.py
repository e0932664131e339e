"""Lend a copy to a patron who scans it with their own phone."""

from services.circulation.loans.commands.check_out import (
    CheckOut,
    Lent,
    lend_each,
    lending_terms,
    save_loans,
    with_ways_out,
)
from services.circulation.refusals import ASK_STAFF, CopyElsewhere, ItemRefusal
from services.circulation.rules.self_checkout import check_stands_at
from services.circulation.self_checkout.commands import check_day_code
from shared.unit_of_work import Work


def borrow(work: Work, command: CheckOut, code: str) -> Lent | None:
    """Lend the one copy of the command to its patron; None: the code of the day is wrong.

    Nothing that is known by the right code alone is raised, so that each try stays counted. Raises
    SelfCheckoutOff, TooManyDayCodes, NoSuchBranch or NoSuchCard.
    """
    if not check_day_code(work, command.branch, command.patron_id, code, command.today):
        return None
    terms = lending_terms(work, command)
    [barcode] = command.barcodes
    copy = terms.copies.get(barcode)
    try:
        if copy is not None:
            check_stands_at(copy, command.branch)
    except CopyElsewhere as refusal:
        refused = ItemRefusal.by(refusal.with_ways_out(ASK_STAFF))
        return Lent(barcode, None, refused, copy=copy)
    results = lend_each(terms, command.barcodes)
    if any(each.refused for each in results):
        results = with_ways_out(work, terms, results)
    save_loans(work, terms, results)
    return results[0]
