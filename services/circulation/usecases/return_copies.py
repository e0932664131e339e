"""Take copies back, assess what their lateness costs, and serve who waits for them."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge, assess
from services.circulation.domain.copy import Copy, take_back
from services.circulation.domain.fines import Statement
from services.circulation.domain.hold import Hold
from services.circulation.domain.ledger import Posting, assessed
from services.circulation.domain.loan import Channel, Loan, catch_up, fine, give_back
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
            statement = fine(loan, calendar.now, suspensions, command.on)
            ended = give_back(
                loan,
                on=command.on,
                branch_code=command.branch,
                channel=command.channel,
                final_fine=statement,
            )
            copy = take_back(copy, command.on, branch_code=command.branch)
        except Refusal as refusal:
            results.append(Returned(barcode, refused=Refused.by(refusal)))
            continue
        charge = assess(new_id(), ended, statement, command.on)
        copies_back.append(copy)
        steps += [*moved, ended]
        tell_moves(work, moved)
        if charge:
            postings[ended.patron_id].append(assessed(charge, work.now))
        came_back[ended.patron_id] += 1
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


def _served(returned: Returned, served: Mapping[str, Served]) -> Returned:
    """With the copy on the hold shelf or on its way, if it went there."""
    if returned.copy is None or returned.copy.id not in served:
        return returned
    now = served[returned.copy.id]
    return replace(returned, copy=now.copy, hold=now.hold)
