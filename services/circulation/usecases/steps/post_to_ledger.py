"""Save changes of a patron's ledger: charges, entries, the sum, and an event for each charge."""

from collections.abc import Sequence

from services.circulation import store
from services.circulation.domain.charge import Charge
from services.circulation.domain.ledger import Posting, PostingKind
from services.circulation.domain.patron import Borrower, owes_too_much
from services.circulation.usecases.events import charge_events
from shared.contracts.circulation import Standing
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
    store.patrons.save_borrower(work, counted)
    if postings:
        store.charges.post(work, postings)
        standing = _standing(work, counted)
        titles = _titles(work, [posting.charge for posting in postings])
        for event in charge_events.of_transaction(postings, standing, titles):
            work.record(event)
    return counted


def show_posted(
    work: Work, kind: PostingKind, reference: str, patron_id: str, charge_ids: Sequence[str]
) -> None:
    """Show the caller what an earlier transaction posted to charges under a reference.

    The events have the present charges, which may have changed again since.
    """
    charges = store.charges.some(work, charge_ids)
    standing = _standing(work, store.patrons.borrower(work, patron_id))
    titles = _titles(work, charges)
    entries = [store.charges.entries(work, charge.id, reference) for charge in charges]
    postings = [
        Posting(kind, charge, tuple(of_charge))
        for charge, of_charge in zip(charges, entries, strict=True)
    ]
    for event in charge_events.of_transaction(postings, standing, titles):
        work.show(event)


def _titles(work: Work, charges: Sequence[Charge]) -> dict[str, str]:
    """Return the title ids of the charges, by charge id, where the loan or hold still exists."""
    known: dict[str, str] = {}
    if loan_ids := {one.loan_id for one in charges if one.loan_id}:
        known |= {loan.id: loan.title_id for loan in store.loans.some(work, loan_ids)}
    if hold_ids := {one.hold_id for one in charges if one.hold_id}:
        holds = store.holds.some(work, hold_ids)
        known |= {hold_id: hold.title_id for hold_id, hold in holds.items()}
    about = {one.id: one.loan_id or one.hold_id or "" for one in charges}
    return {charge_id: known[one] for charge_id, one in about.items() if one in known}


def _standing(work: Work, borrower: Borrower) -> Standing:
    patron = store.patrons.get(work, borrower.id)
    policies = store.policies.matrix(work)
    return Standing(
        version=borrower.version,
        outstanding_cents=borrower.outstanding_cents,
        blocked=patron is not None and owes_too_much(patron, borrower, policies),
    )
