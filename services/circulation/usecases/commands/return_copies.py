"""Take copies back, assess their fines, and serve the holds that wait for them.

A copy that was in transit, to be fetched or missing is received, because staff scan all copies in
one pile.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

from services.circulation import store
from services.circulation.domain.charge import Charge, ChargeKind, assess
from services.circulation.domain.copy import AWAITED_STATES, Copy, CopyState, recover, take_back
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
from services.circulation.usecases.receive_copy import unpack
from services.circulation.usecases.serve_holds import Served, serve
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanReturned
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ReturnCopies:
    """Command to take copies back; `on` may be past."""

    barcodes: tuple[str, ...]
    branch: str
    channel: Channel
    on: date
    today: date


@dataclass(frozen=True)
class Returned:
    """Outcome for one copy: the ended loan with its fine, and the hold it goes to; or a refusal.

    A copy that is received has no loan: it was in transit, to be fetched or missing.
    """

    barcode: str
    loan: Loan | None = None
    charge: Charge | None = None
    statement: Statement | None = None
    refused: Refused | None = None
    copy: Copy | None = None
    hold: Hold | None = None
    """Hold that the copy is kept or sent for."""


async def return_copies(work: Work, command: ReturnCopies) -> list[Returned]:
    """Take the copies back; return the outcome for each, in the order of the command.

    Each copy is taken back or refused on its own. Raises InTheFuture or NoSuchBranch for the whole
    command.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    if await store.calendars.get(work, command.branch) is None:
        raise NoSuchBranch(branch=command.branch)
    copies = await store.titles.copies_with(work, command.barcodes)
    results = await _receive(work, command, copies)
    others = tuple(barcode for barcode in command.barcodes if barcode not in results)
    results |= await _take_back(work, replace(command, barcodes=others), copies)
    scanned = [result.copy for result in results.values() if result.copy]
    titles = {copy.title_id for copy in scanned}
    served = await serve(work, titles, command.today, in_hand={copy.id for copy in scanned})
    return [_served(results[barcode], served) for barcode in command.barcodes]


async def _receive(
    work: Work, command: ReturnCopies, copies: Mapping[str, Copy]
) -> dict[str, Returned]:
    """Receive the copies that nobody had on loan; return the outcomes by barcode.

    They were in transit or to be fetched, or were missing and are found.
    """
    awaited = [copy for copy in copies.values() if copy.state in AWAITED_STATES]
    lost = [copy for copy in copies.values() if copy.state is CopyState.LOST]
    by_patrons = await store.loans.lost_of_copies(work, [copy.id for copy in lost]) if lost else {}
    missing = [copy for copy in lost if copy.id not in by_patrons]
    await store.holds.take_turn(work, {copy.title_id for copy in [*awaited, *missing]})
    results = {}
    for copy in awaited:
        unpacked = await unpack(work, copy, command.branch, command.today)
        results[copy.barcode] = Returned(copy.barcode, copy=unpacked.copy, hold=unpacked.hold)
    found = [recover(copy, command.branch) for copy in missing]
    await store.titles.save_copies(work, found)
    return results | {copy.barcode: Returned(copy.barcode, copy=copy) for copy in found}


async def _take_back(
    work: Work, command: ReturnCopies, copies: Mapping[str, Copy]
) -> dict[str, Returned]:
    """Take back the copies that were on loan; return the outcomes by barcode."""
    loans = await store.loans.open_of_copies(work, [copy.id for copy in copies.values()])
    if lost := [copy.id for copy in copies.values() if copy.state is CopyState.LOST]:
        loans |= await store.loans.lost_of_copies(work, lost)
    lenders = {loan.branch_code for loan in loans.values()}
    calendars = await store.calendars.some(work, lenders)
    suspensions = await store.suspensions.every(work)
    borrowers = await store.patrons.borrowers(work, {loan.patron_id for loan in loans.values()})

    results: dict[str, Returned] = {}
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
            results[barcode] = Returned(barcode, refused=Refused.by(refusal))
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
        results[barcode] = Returned(barcode, ended, charge, statement, copy=copy)
    await store.titles.save_copies(work, copies_back)
    await store.loans.save(work, steps)
    for patron_id, count in came_back.items():
        await post(work, borrowers[patron_id], postings[patron_id], loans=-count)
    return results


async def _credit_found(work: Work, found: Loan, statement: Statement, on: date) -> list[Posting]:
    """Return the credits for a lost loan whose copy is back.

    The price is credited, and a part of the fine if the copy came back before it was declared lost.
    The processing charge stays because the work was done, as in Evergreen by default.
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
    """Return the outcome with the copy on the hold shelf or in transit, if it went there."""
    if returned.copy is None or returned.copy.id not in served:
        return returned
    now = served[returned.copy.id]
    return replace(returned, copy=now.copy, hold=now.hold)
