"""Take copies back, assess what their lateness costs, and serve who waits for them."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge, ChargeKind, assess
from services.circulation.domain.copy import Copy, CopyState, take_back
from services.circulation.domain.fines import Statement
from services.circulation.domain.hold import Hold
from services.circulation.domain.ledger import Occasion, Posting, assessed, lower
from services.circulation.domain.loan import (
    Channel,
    Loan,
    LoanState,
    back_on,
    catch_up,
    fine,
    give_back,
    settled,
)
from services.circulation.domain.refusals import (
    CopyNotOnLoan,
    InTheFuture,
    NoSuchBranch,
    NoSuchCopy,
    Refusal,
)
from services.circulation.usecases.check_out import Refused
from services.circulation.usecases.post_to_ledger import post
from services.circulation.usecases.serve_holds import Served, serve
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanReturned
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReturnCopies:
    """Which copies came back, where, through what and on which day, that may be past."""

    barcodes: tuple[str, ...]
    branch: str
    channel: Channel
    on: date
    today: date


@dataclass(frozen=True)
class Returned:
    """What became of one copy: the loan as it ended, its fine, and who gets it; or a refusal."""

    barcode: str
    loan: Loan | None = None
    charge: Charge | None = None
    statement: Statement | None = None
    refused: Refused | None = None
    copy: Copy | None = None
    hold: Hold | None = None
    """What the copy is kept or sent for."""


async def return_copies(work: Work, command: ReturnCopies) -> list[Returned]:
    """What became of each copy, in the order of the command. Each stands or falls alone.

    Raises InTheFuture or NoSuchBranch, about all of them.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    copies = await store.titles.copies_with(work, command.barcodes)
    loans = await store.loans.open_of_copies(work, [copy.id for copy in copies.values()])
    if lost := [copy.id for copy in copies.values() if copy.state is CopyState.LOST]:
        loans |= await store.loans.lost_of_copies(work, lost)
    lenders = {loan.branch_code for loan in loans.values()}
    calendars = await store.calendars.some(work, lenders | {command.branch})
    if command.branch not in calendars:
        raise NoSuchBranch(branch=command.branch)
    suspensions = await store.suspensions.every(work)
    borrowers = await store.patrons.borrowers(work, {loan.patron_id for loan in loans.values()})

    results = []
    copies_back: list[Copy] = []
    steps: list[Loan] = []
    came_back: Counter[str] = Counter()
    postings: defaultdict[str, list[Posting]] = defaultdict(list)
    for barcode in command.barcodes:
        try:
            if (copy := copies.get(barcode)) is None:
                raise NoSuchCopy(barcode=barcode)
            if (loan := loans.get(copy.id)) is None:
                raise CopyNotOnLoan
            calendar = calendars[loan.branch_code]
            moved = catch_up(loan, calendar)
            loan = moved[-1] if moved else loan
            on = back_on(loan, command.on)
            statement = settled(loan, fine(loan, calendar.now, suspensions, on))
            ended = give_back(
                loan,
                on=on,
                branch_code=command.branch,
                channel=command.channel,
                final_fine=statement,
            )
            copy = take_back(copy, on, branch_code=command.branch)
        except Refusal as refusal:
            results.append(Returned(barcode, refused=Refused.by(refusal)))
            continue
        if loan.state is LoanState.LOST:
            charge, posted = None, await _credit_found(work, ended, statement, command.on)
        else:
            charge = assess(new_id(), ended, statement, on)
            posted = [assessed(charge, work.now)] if charge else []
        postings[ended.patron_id] += posted
        came_back[ended.patron_id] += loan.state is LoanState.OPEN
        copies_back.append(copy)
        steps += [*moved, ended]
        tell_moves(work, moved)
        work.record(
            LoanReturned(**snapshot(ended), return_branch=command.branch, channel=command.channel)
        )
        results.append(Returned(barcode, ended, charge, statement, copy=copy))
    await store.titles.save_copies(work, copies_back)
    await store.loans.save(work, steps)
    for patron_id, count in came_back.items():
        await post(work, borrowers[patron_id], postings[patron_id], loans=-count)
    served = await serve(work, {copy.title_id for copy in copies_back}, command.today)
    return [_served(returned, served) for returned in results]


async def _credit_found(work: Work, found: Loan, statement: Statement, on: date) -> list[Posting]:
    """What is credited of a lost loan whose copy is back: its price, and a part of its fine if it
    came back before it was declared lost.

    The work of replacing it was done, so its charge stays, as it does in Evergreen by default.
    """
    occasion = Occasion(on=on, at=work.now, reason="found again", reference=found.id)
    postings = []
    for charge in await store.charges.of_loan(work, found.id):
        credited = None
        if charge.kind is ChargeKind.LOST:
            credited = lower(charge, 0, occasion)
        elif charge.basis and charge.basis.until == found.lost_on:
            credited = lower(charge, statement.amount_cents, occasion, statement=statement)
        if credited:
            postings.append(credited)
    return postings


def _served(returned: Returned, served: Mapping[str, Served]) -> Returned:
    """With the copy on the hold shelf or on its way, if it went there."""
    if returned.copy is None or returned.copy.id not in served:
        return returned
    now = served[returned.copy.id]
    return replace(returned, copy=now.copy, hold=now.hold)
