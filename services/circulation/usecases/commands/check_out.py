"""Lend copies to the holder of a card."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import partial

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.charge import Charge, ChargeKind, new_charge
from services.circulation.domain.conflict import Conflict
from services.circulation.domain.copy import Copy
from services.circulation.domain.hold import Hold, HoldState, cancel, collect
from services.circulation.domain.ledger import assessed
from services.circulation.domain.loan import Loan
from services.circulation.domain.patron import Borrower, Patron, is_blocked
from services.circulation.domain.refusals import (
    InTheFuture,
    LoanLimit,
    NoSuchBranch,
    NoSuchCard,
    NoSuchCopy,
    PatronBlocked,
    Refusal,
    TooLongAgo,
)
from services.circulation.usecases.end_hold import let_go
from services.circulation.usecases.post_to_ledger import post
from services.circulation.usecases.tell_of_loan import snapshot
from shared.contracts.circulation import LoanCheckedOut
from shared.ids import new_id
from shared.unit_of_work import Work

OFFLINE_DAYS = 31
"""Most days by which a check-out may be back-dated, because its station was offline."""


@dataclass(frozen=True)
class CheckOut:
    """Command to lend copies to the holder of a card.

    `patron` is the answer of accounts about a card that circulation does not know.
    """

    card_digest: str = field(repr=False)
    barcodes: tuple[str, ...]
    branch: str
    on: date
    today: date
    patron: Patron | None = None
    offline: bool = False
    """True if the copies have left the library already, lent by a station that was offline."""


@dataclass(frozen=True)
class Refused:
    """Refusal of one item of several."""

    code: str
    reason: str

    @classmethod
    def by(cls, refusal: Refusal) -> "Refused":
        """Convert a refusal."""
        return cls(refusal.code, refusal.reason)


@dataclass(frozen=True)
class Lent:
    """Outcome for one copy: a loan or a refusal.

    Both are set if the copy was lent offline despite the refusal.
    """

    barcode: str
    loan: Loan | None
    refused: Refused | None
    renewals_left: int = 0
    """Number of renewals that the loan still has today."""


async def check_out(work: Work, command: CheckOut) -> list[Lent]:
    """Lend the copies; return the outcome for each, in the order of the command.

    Each copy is lent or refused on its own. A copy that was lent offline and is free is recorded as
    lent even if the patron is blocked or at the limit. The refusal of a copy that was lent offline
    is saved as a conflict for the staff.

    Raises InTheFuture, TooLongAgo, NoSuchCard or NoSuchBranch for the whole command.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    if command.on < command.today - timedelta(days=OFFLINE_DAYS):
        raise TooLongAgo(on=command.on, days=OFFLINE_DAYS)
    patron = await _holder(work, command)
    branch = await store.calendars.get(work, command.branch)
    if branch is None:
        raise NoSuchBranch(branch=command.branch)
    policies = await store.policies.matrix(work)
    copies = await store.titles.copies_with(work, command.barcodes)
    borrower = await store.patrons.borrower(work, patron.id)
    holds = await _holds(work, borrower, copies.values())

    results: list[Lent] = []
    taken: list[tuple[Loan, Copy]] = []
    for barcode in command.barcodes:
        try:
            if (copy := copies.get(barcode)) is None:
                raise NoSuchCopy(barcode=barcode)
            policy = policies.pick(patron.category, copy.category, branch.kind)
            lend = partial(
                rules.check_out,
                loan_id=new_id(),
                copy=copy,
                patron=patron,
                policy=policy,
                calendar=branch.now,
                on=command.on,
                hold_id=hold.id if (hold := holds.get(copy.title_id)) else None,
            )
            loan, copy, against = _lend(
                lend,
                blocked=is_blocked(patron, borrower.outstanding_cents, policy),
                open_loans=borrower.open_loans + len(taken),
                offline=command.offline,
            )
        except Refusal as refusal:
            results.append(Lent(barcode, None, Refused.by(refusal)))
        else:
            taken.append((loan, copy))
            left = rules.renewals_left(loan, branch.now, command.today)
            results.append(Lent(barcode, loan, against, left))

    if command.offline:
        results = await _reported_before(work, command, patron, copies, results)
        await _keep_conflicts(work, command, patron, results)
    if not taken:
        return results
    ended = list(_ended(holds.values(), [loan for loan, _ in taken], command.today))
    # First, because two stations at once conflict here; the later one then loses little work.
    fees = _fees(ended, [loan for loan, _ in taken], command.on)
    await post(
        work,
        borrower,
        [assessed(fee, work.now) for fee in fees],
        loans=len(taken),
        holds=-len(ended),
    )
    await store.titles.save_copies(work, (copy for _, copy in taken))
    await store.loans.add(work, (loan for loan, _ in taken))
    for loan, _ in taken:
        work.record(LoanCheckedOut(**snapshot(loan)))
    for hold, after in ended:
        await let_go(work, hold, after)
    return results


def _lend(
    lend: Callable[..., tuple[Loan, Copy]], *, blocked: bool, open_loans: int, offline: bool
) -> tuple[Loan, Copy, Refused | None]:
    """Return the loan, its copy, and the refusal that an offline check-out overrides, if any."""
    try:
        return *lend(blocked=blocked, open_loans=open_loans), None
    except (PatronBlocked, LoanLimit) as refusal:
        if not offline:
            raise
        return *lend(blocked=False, open_loans=-1), Refused.by(refusal)


async def _reported_before(
    work: Work,
    command: CheckOut,
    patron: Patron,
    copies: Mapping[str, Copy],
    results: Sequence[Lent],
) -> list[Lent]:
    """Return the results, with the loans that an earlier report of the same check-outs made."""
    refused = [
        copies[each.barcode].id for each in results if each.loan is None and each.barcode in copies
    ]
    made = await store.loans.open_of_copies(work, refused)
    same = {
        loan.barcode: loan
        for loan in made.values()
        if (loan.patron_id, loan.borrowed_on) == (patron.id, command.on)
    }
    calendars = await store.calendars.some(work, {loan.branch_code for loan in same.values()})
    left = {
        barcode: rules.renewals_left(loan, calendars[loan.branch_code].now, command.today)
        for barcode, loan in same.items()
    }
    return [
        Lent(each.barcode, same[each.barcode], None, left[each.barcode])
        if each.barcode in same
        else each
        for each in results
    ]


async def _keep_conflicts(
    work: Work, command: CheckOut, patron: Patron, results: Sequence[Lent]
) -> None:
    """Save a conflict for each refused copy that has left the library, once for each copy."""
    known = await store.conflicts.known(work, patron.id, command.on)
    conflicts = [
        Conflict(
            id=new_id(),
            patron_id=patron.id,
            barcode=each.barcode,
            branch_code=command.branch,
            lent_on=command.on,
            code=each.refused.code,
            reason=each.refused.reason,
            loan_id=each.loan.id if each.loan else None,
            reported_at=work.now,
        )
        for each in results
        if each.refused is not None and each.barcode not in known
    ]
    await store.conflicts.add(work, conflicts)


async def _holds(work: Work, borrower: Borrower, copies: Collection[Copy]) -> dict[str, Hold]:
    """Return the patron's holds on the titles of the copies, by title."""
    if not borrower.open_holds:
        return {}
    titles = {copy.title_id for copy in copies}
    holds = await store.holds.open_of_patron(work, borrower.id, titles)
    return {hold.title_id: hold for hold in holds}


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


async def _holder(work: Work, command: CheckOut) -> Patron:
    """Return the holder of the card, as circulation knows them or accounts has just answered."""
    if command.patron is None:
        patron = await store.patrons.holder_of_card(work, command.card_digest)
    else:
        await store.patrons.note(work, command.patron)
        patron = await store.patrons.get(work, command.patron.id)
    # An event may be newer than the answer of accounts: the card may have been replaced.
    if patron is None or patron.card_digest != command.card_digest:
        raise NoSuchCard
    return patron
