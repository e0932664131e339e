"""Post to patrons' ledgers, waive charges, and close a patron's borrowing."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import date

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import events, store
from services.circulation.charges.refusals import NoSuchCharge, PaymentUnderWay
from services.circulation.policies import store as policies_store
from services.circulation.rules import charge as charge_rules
from services.circulation.rules.charge import Charge
from services.circulation.rules.ledger import Occasion, Posting, PostingKind, waive
from services.circulation.rules.loan import Loan
from services.circulation.rules.patron import Borrower, OpenItems, owes_too_much
from shared.contracts.circulation import Standing
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def post(
    work: Work,
    borrower: Borrower,
    postings: Sequence[Posting],
    *,
    loans: int = 0,
    holds: int = 0,
) -> Borrower:
    """Save `postings`, with `loans` and `holds` more open ones; return the patron's new counts.

    A transaction posts all its changes for one patron in one call, because each event carries the
    patron's standing after all of them. Of two calls for one patron at the same time, one is
    retried, so that decisions made with `borrower` still hold.
    """
    # First, because two calls at once conflict here; the later one then loses little work.
    owed = sum(posting.owed_cents for posting in postings)
    counted = borrower.after(loans=loans, holds=holds, cents=owed)
    borrowers_store.save_borrower(work, counted)
    if postings:
        store.post(work, postings)
        standing = _standing(work, counted)
        titles = store.titles_of(work, [posting.charge for posting in postings])
        for event in events.of_transaction(postings, standing, titles):
            work.record(event)
    return counted


def to_bill(work: Work, loan: Loan, before: Iterable[Charge | None] = ()) -> Loan:
    """Return the loan as its fine is to be counted: within the cap for the patron's unpaid fines.

    `before` are fines of the same transaction that are not posted yet. Reads only for a policy
    row with such a cap. The transaction writes the patron's counts, so of two at once one is
    retried, and sees the fine of the other.
    """
    if loan.policy.patron_fine_cap_cents is None:
        return loan
    unpaid = store.unpaid_fines_cents(work, loan.patron_id)
    unpaid += sum(c.amount_cents for c in before if c and c.patron_id == loan.patron_id)
    return charge_rules.to_bill(loan, unpaid)


def show_posted(
    work: Work, kind: PostingKind, reference: str, patron_id: str, charge_ids: Sequence[str]
) -> None:
    """Show the caller what an earlier transaction posted to charges under a reference.

    The events have the present charges, which may have changed again since.
    """
    charges = store.some(work, charge_ids)
    standing = _standing(work, borrowers_store.borrower(work, patron_id))
    titles = store.titles_of(work, charges)
    entries = [store.entries(work, charge.id, reference) for charge in charges]
    postings = [
        Posting(kind, charge, tuple(of_charge))
        for charge, of_charge in zip(charges, entries, strict=True)
    ]
    for event in events.of_transaction(postings, standing, titles):
        work.show(event)


def _standing(work: Work, borrower: Borrower) -> Standing:
    patron = borrowers_store.get_patron(work, borrower.id)
    policies = policies_store.matrix(work)
    return Standing(
        version=borrower.version,
        outstanding_cents=borrower.outstanding_cents,
        blocked=patron is not None and owes_too_much(patron, borrower, policies),
    )


def waive_charge(
    work: Work, *, charge_id: str, cents: int, reason: str, by: str, on: date
) -> Charge:
    """Waive `cents` of a charge; `by` is the member of staff.

    Raises NoSuchCharge, MoreThanOutstanding or PaymentUnderWay.
    """
    charge = or_refuse(store.get(work, charge_id), NoSuchCharge)
    if store.claimed(work, [charge.id]):
        raise PaymentUnderWay
    borrower = borrowers_store.borrower(work, charge.patron_id)
    occasion = Occasion(on=on, at=work.now, by=by, reason=reason)
    waived = waive(charge, cents, occasion)
    post(work, borrower, [waived])
    return waived.charge


def close_borrower(work: Work, patron_id: str) -> OpenItems:
    """Close it unless loans, charges or refunds are open; return those. Repeating it is harmless.

    Every check-out, hold and charge writes the patron's counts. So one at the same time commits
    before this transaction, and is found open, or after it, and finds the borrowing closed.
    """
    borrower = borrowers_store.borrower(work, patron_id)
    still_open = OpenItems(
        loans=borrower.open_loans,
        outstanding_cents=borrower.outstanding_cents,
        refund_due_cents=store.refund_due_cents(work, patron_id),
    )
    if not still_open and not borrower.closed:
        closed = replace(borrower, closed=True, version=borrower.version + 1)
        borrowers_store.save_borrower(work, closed)
    return still_open
