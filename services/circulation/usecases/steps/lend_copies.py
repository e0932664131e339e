"""Lend copies to one patron, each on its own, and save the loans."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge, ChargeKind, new_charge
from services.circulation.domain.copy import Copy
from services.circulation.domain.hold import Hold, HoldState, cancel, collect
from services.circulation.domain.ledger import assessed
from services.circulation.domain.loan import Loan
from services.circulation.domain.patron import Borrower, Patron, is_blocked
from services.circulation.domain.policy import PolicyMatrix
from services.circulation.domain.refusals.copies import NoSuchCopy
from services.circulation.domain.refusals.refusal import ItemRefusal, Refusal
from services.circulation.usecases.events import loan_events
from services.circulation.usecases.steps.end_hold import release_hold
from services.circulation.usecases.steps.post_to_ledger import post
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class LendingTerms:
    """Facts that decide a check-out by one patron at one branch."""

    patron: Patron
    borrower: Borrower
    branch: BranchCalendar
    """Calendar of the lending branch."""
    policies: PolicyMatrix
    copies: Mapping[str, Copy]
    """Copies that the library has, by barcode."""
    holds: Mapping[str, Hold]
    """The patron's open holds on titles of the copies, by title."""
    on: date
    """Day of the loans."""
    today: date


@dataclass(frozen=True)
class Lent:
    """Outcome for one copy: a loan or a refusal.

    Both are set if the copy was lent offline despite the refusal.
    """

    barcode: str
    loan: Loan | None
    refused: ItemRefusal | None
    renewals_left: int = 0
    """Number of renewals that the loan still has today."""
    copy: Copy | None = None
    """The copy on loan, or as it is if it was refused; None if the library has no such copy, or if
    its loan was known before."""

    @property
    def is_new(self) -> bool:
        """True if the copy was lent now."""
        return self.loan is not None and self.copy is not None


def lend_each(
    terms: LendingTerms,
    barcodes: Sequence[str],
    *,
    overridden: tuple[type[Refusal], ...] = (),
) -> list[Lent]:
    """Lend the copies; return the outcome for each, in the given order.

    `overridden` are refusals despite which a copy is lent, because it has left the library already.
    """
    results: list[Lent] = []
    for barcode in barcodes:
        before = sum(each.is_new for each in results)
        try:
            results.append(_lend(terms, barcode, before, overridden))
        except Refusal as refusal:
            refused = ItemRefusal.by(refusal)
            results.append(Lent(barcode, None, refused, copy=terms.copies.get(barcode)))
    return results


def _lend(
    terms: LendingTerms, barcode: str, before: int, overridden: tuple[type[Refusal], ...]
) -> Lent:
    """Lend one copy; `before` is the number of copies lent before it."""
    if (copy := terms.copies.get(barcode)) is None:
        raise NoSuchCopy(barcode=barcode)
    policy = terms.policies.pick(terms.patron.category, copy.category, terms.branch.kind)
    hold = terms.holds.get(copy.title_id)

    def lend(*, blocked: bool, open_loans: int) -> Lent:
        loan, lent = rules.check_out(
            loan_id=new_id(),
            copy=copy,
            patron=terms.patron,
            policy=policy,
            calendar=terms.branch.now,
            on=terms.on,
            hold_id=hold.id if hold else None,
            blocked=blocked,
            open_loans=open_loans,
        )
        left = rules.renewals_left(loan, terms.branch.now, terms.today)
        return Lent(barcode, loan, None, left, lent)

    try:
        return lend(
            blocked=is_blocked(terms.patron, terms.borrower.outstanding_cents, policy),
            open_loans=terms.borrower.open_loans + before,
        )
    except overridden as refusal:
        return replace(lend(blocked=False, open_loans=-1), refused=ItemRefusal.by(refusal))


def save_loans(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> None:
    """Save and publish the new loans, and end the holds that they fulfil."""
    taken = [(each.loan, each.copy) for each in results if each.loan and each.copy]
    if not taken:
        return
    loans = [loan for loan, _ in taken]
    ended = list(_ended(terms.holds.values(), loans, terms.today))
    # First, because two stations at once conflict here; the later one then loses little work.
    fees = _fees(ended, loans, terms.on)
    post(
        work,
        terms.borrower,
        [assessed(fee, work.now) for fee in fees],
        loans=len(loans),
        holds=-len(ended),
    )
    store.titles.save_copies(work, (copy for _, copy in taken))
    store.loans.add(work, loans)
    for loan in loans:
        work.record(loan_events.checked_out(loan))
    for hold, after in ended:
        release_hold(work, hold, after)


def _fees(
    ended: Collection[tuple[Hold, Hold]], loans: Collection[Loan], on: date
) -> Iterator[Charge]:
    """Yield the fees for the collected holds, by the policy rows of the loans."""
    for _, hold in ended:
        for loan in loans:
            fee = loan.policy.hold_fee_cents
            if fee and hold.state is HoldState.COLLECTED and loan.copy_id == hold.copy_id:
                yield new_charge(
                    new_id(), hold.patron_id, ChargeKind.HOLD_FEE, fee, on, hold_id=hold.id
                )


def _ended(holds: Collection[Hold], loans: Sequence[Loan], on: date) -> Iterator[tuple[Hold, Hold]]:
    """Yield the holds that the loans end, before and after.

    Borrowing a different copy than the one kept does not collect the hold, so no fee applies. The
    kept copy goes to the next hold in the queue.
    """
    for hold in holds:
        if any(loan.copy_id == hold.copy_id for loan in loans):
            yield hold, collect(hold, on)
        elif any(loan.title_id == hold.title_id for loan in loans):
            yield hold, cancel(hold, on, "borrowed")
