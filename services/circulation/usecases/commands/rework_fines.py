"""Work some assessed fines out again, after days that they charged turned out to be free."""

from dataclasses import dataclass, replace
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge, ends, worked_out_again
from services.circulation.domain.ledger import Occasion, Posting, lower
from services.circulation.domain.rework import lowered_by
from services.circulation.usecases.steps.post_to_ledger import post
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReworkFines:
    """Command to work some fines out again: few, because they share one transaction."""

    charge_ids: tuple[str, ...]
    rework_id: str
    on: date


def rework_fines(work: Work, command: ReworkFines) -> int:
    """Lower the fines that cost less now; return how many were lowered.

    The part of the difference that was paid becomes due back. Running it again changes nothing.
    """
    charges = store.charges.some(work, command.charge_ids)
    codes = {charge.basis.branch_code for charge in charges if charge.basis}
    calendars = store.calendars.some(work, codes)
    suspensions = store.suspensions.every(work)
    occasion = Occasion(
        on=command.on,
        at=work.now,
        reason="worked out again: days that it charged are free",
    )
    lowered: dict[str, list[Posting]] = {}
    for charge in charges:
        if charge.basis is None or charge.statement is None:
            continue
        code = charge.basis.branch_code
        again = worked_out_again(charge, calendars[code].now, suspensions)
        if again is None:
            continue
        cause = lowered_by(charge.statement, again, code, command.rework_id)
        posting = lower(
            charge, again.amount_cents, replace(occasion, reference=cause), statement=again
        )
        if posting:
            lowered.setdefault(charge.patron_id, []).append(posting)
    borrowers = store.patrons.borrowers(work, lowered)
    for patron_id, postings in lowered.items():
        post(work, borrowers[patron_id], postings)
    changed = [posting.charge for postings in lowered.values() for posting in postings]
    _show_at_loans(work, changed)
    return len(changed)


def _show_at_loans(work: Work, changed: list[Charge]) -> None:
    """Update the final fines of ended loans to the lowered charges.

    An open loan shows its accruing fine; the fine of an earlier due date stays with its charge.
    """
    found = store.loans.some(work, {charge.loan_id for charge in changed if charge.loan_id})
    loans = {loan.id: loan for loan in found}
    for charge in changed:
        loan = loans.get(charge.loan_id or "")
        if loan and loan.final_fine and charge.statement and ends(charge, loan):
            store.loans.correct_fine(work, loan, charge.statement)
