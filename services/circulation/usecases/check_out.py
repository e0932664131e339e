"""Lend copies to the holder of a card."""

from dataclasses import dataclass, field
from datetime import date, timedelta

from services.circulation import store
from services.circulation.domain import loan as rules
from services.circulation.domain.copy import Copy
from services.circulation.domain.loan import Loan
from services.circulation.domain.patron import Patron, is_blocked
from services.circulation.domain.refusals import (
    InTheFuture,
    NoSuchBranch,
    NoSuchCard,
    NoSuchCopy,
    Refusal,
    TooLongAgo,
)
from services.circulation.usecases.tell_of_loan import snapshot
from shared.contracts.circulation import LoanCheckedOut
from shared.ids import new_id
from shared.unit_of_work import Work

OFFLINE_DAYS = 31
"""How long ago a station may have lent what it reports now."""


@dataclass(frozen=True)
class CheckOut:
    """Which copies go to whom. `patron` is what accounts said of a card not known here."""

    card_digest: str = field(repr=False)
    barcodes: tuple[str, ...]
    branch: str
    on: date
    today: date
    patron: Patron | None = None


@dataclass(frozen=True)
class Refused:
    """Why one of several was refused."""

    code: str
    reason: str

    @classmethod
    def by(cls, refusal: Refusal) -> "Refused":
        """From the refusal."""
        return cls(refusal.code, refusal.reason)


@dataclass(frozen=True)
class Lent:
    """What became of one copy: a loan, or a refusal."""

    barcode: str
    loan: Loan | None
    refused: Refused | None


async def check_out(work: Work, command: CheckOut) -> list[Lent]:
    """What became of each copy, in the order of the command. Each stands or falls alone.

    Raises InTheFuture, TooLongAgo, NoSuchCard or NoSuchBranch, about all of them.
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

    results: list[Lent] = []
    taken: list[tuple[Loan, Copy]] = []
    for barcode in command.barcodes:
        try:
            if (copy := copies.get(barcode)) is None:
                raise NoSuchCopy(barcode=barcode)
            policy = policies.pick(patron.category, copy.category, branch.kind)
            loan, copy = rules.check_out(
                loan_id=new_id(),
                copy=copy,
                patron=patron,
                blocked=is_blocked(patron, borrower.outstanding_cents, policy),
                open_loans=borrower.open_loans + len(taken),
                policy=policy,
                calendar=branch.now,
                on=command.on,
            )
        except Refusal as refusal:
            results.append(Lent(barcode, None, Refused.by(refusal)))
        else:
            taken.append((loan, copy))
            results.append(Lent(barcode, loan, None))

    if taken:
        # First, for it is what two stations at once meet in: the later one loses little work.
        await store.patrons.save_borrower(work, borrower.after(loans=len(taken)))
    await store.titles.save_copies(work, (copy for _, copy in taken))
    await store.loans.add(work, (loan for loan, _ in taken))
    for loan, _ in taken:
        work.record(LoanCheckedOut(**snapshot(loan)))
    return results


async def _holder(work: Work, command: CheckOut) -> Patron:
    """Whose card it is, by what circulation has heard or accounts has said just now."""
    if command.patron is None:
        patron = await store.patrons.holder_of_card(work, command.card_digest)
    else:
        await store.patrons.note(work, command.patron)
        patron = await store.patrons.get(work, command.patron.id)
    # What was heard may be newer than what was asked: their card may be another by now.
    if patron is None or patron.card_digest != command.card_digest:
        raise NoSuchCard
    return patron
