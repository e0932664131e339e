"""Take copies back, assess their fines, and serve the holds that wait for them.

A copy that was in transit, to be fetched or missing is received, because staff scan all copies in
one pile.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from services.circulation import refusals
from services.circulation.borrowers import store as borrowers_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges import store as charges_store
from services.circulation.charges.commands.ledger import post, to_bill
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.queue import Served, hand_out, unpack
from services.circulation.loans import events
from services.circulation.loans.commands.current import current_loans, record_moves
from services.circulation.loans.refusals import InTheFuture
from services.circulation.loans.store import facts as facts_store
from services.circulation.loans.store import loans as store
from services.circulation.loans.store.facts import ReturnFacts
from services.circulation.rules.charge import Charge, assess
from services.circulation.rules.copy import (
    AWAITED_STATES,
    LOST_STATES,
    Copy,
    CopyState,
    clear,
    recover,
    remember,
    take_back,
)
from services.circulation.rules.due_date import CurrentLoan, current, fine, late_times
from services.circulation.rules.fines import Statement
from services.circulation.rules.hold import Hold
from services.circulation.rules.ledger import Occasion, Posting, assessed, credit_of_return
from services.circulation.rules.loan import (
    Channel,
    Loan,
    LoanState,
    back_on,
    check_reported_return,
    give_back,
    settled,
)
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.patron import Borrower
from services.circulation.rules.suspension import FineSuspension
from shared.ids import new_id, time_of
from shared.reads import Reads
from shared.unit_of_work import Work, brief


@dataclass(frozen=True)
class ReturnCopies:
    """Command to take copies back; `on` may be past."""

    barcodes: tuple[str, ...]
    branch: str
    channel: Channel
    on: date
    today: date
    time: LocalTime | None = None
    """Time of the return, if it is known."""
    reported: datetime | None = None
    """Time of a return that is reported later: the copy may have been lent since."""


@dataclass(frozen=True)
class Returned:
    """Outcome for one copy: the ended loan with its fine, and the hold it goes to; or a refusal.

    A refused copy is shown as it is, with the hold that it is kept for. A copy that is received has
    no loan: it was in transit, to be fetched or missing.
    """

    barcode: str
    loan: Loan | None = None
    charge: Charge | None = None
    statement: Statement | None = None
    refused: refusals.ItemRefusal | None = None
    copy: Copy | None = None
    hold: Hold | None = None
    """Hold that the copy is kept or sent for."""


@dataclass(frozen=True)
class _Ended:
    """A loan that ends, before and after, with its copy and its fine."""

    before: CurrentLoan
    loan: Loan
    copy: Copy
    statement: Statement
    charge: Charge | None
    """The fine, if anything is owed; a lost loan has none, because it was charged at its loss."""

    @property
    def was_lost(self) -> bool:
        """True if the loan ends because its lost copy was found."""
        return self.before.loan.state is LoanState.LOST


def _reads(command: ReturnCopies) -> Reads:
    return facts_store.return_reads(command.branch, command.barcodes)


@brief(_reads)
def return_copies(work: Work, command: ReturnCopies) -> list[Returned]:
    """Take the copies back; return the outcome for each, in the order of the command.

    Each copy is taken back or refused on its own. Raises InTheFuture or NoSuchBranch for the whole
    command.
    """
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    facts = facts_store.return_facts(work, _reads(command))
    if facts is None:
        raise refusals.NoSuchBranch(branch=command.branch)
    # First, because two returns of one title at once conflict here; the later one then loses little
    # work. Nobody can begin to wait for these titles until this transaction has ended.
    holds_store.take_turn(
        work,
        {
            copy.queue_id
            for copy in facts.copies.values()
            if copy.id in facts.loans
            or copy.state in (*AWAITED_STATES, *LOST_STATES)
            or copy.shelved_for
        },
    )
    results = _receive(work, command, facts.copies)
    others = [barcode for barcode in command.barcodes if barcode not in results]
    results |= _take_back(work, command, others, facts)
    scanned = [each.copy for each in results.values() if each.copy and not each.refused]
    served = hand_out(
        work,
        {copy.queue_id for copy in scanned if copy.work_id or copy.title_id in facts.awaited},
        command.today,
        freed=scanned,
        in_hand={copy.id for copy in scanned},
    )
    return [_served(results[barcode], served) for barcode in command.barcodes]


def _receive(work: Work, command: ReturnCopies, copies: Mapping[str, Copy]) -> dict[str, Returned]:
    """Receive the copies that nobody had on loan; return the outcomes by barcode.

    They were in transit, to be fetched or on the shelf of a hold that is over, or were missing.
    """
    awaited = [copy for copy in copies.values() if copy.state in AWAITED_STATES]
    lost = [copy for copy in copies.values() if copy.state is CopyState.LOST]
    by_patrons = store.lost_of_copies(work, [copy.id for copy in lost]) if lost else {}
    missing = [copy for copy in lost if copy.id not in by_patrons]
    results = {}
    for copy in awaited:
        unpacked = unpack(work, copy, command.branch, command.today)
        results[copy.barcode] = Returned(copy.barcode, copy=unpacked.copy, hold=unpacked.hold)
    found = [
        remember(recover(copy, command.branch), "recovered", command.today) for copy in missing
    ]
    left = [one for one in copies.values() if one.state is CopyState.AVAILABLE and one.shelved_for]
    found += [clear(copy, command.branch) for copy in left]
    catalogue_store.save_copies(work, found)
    return results | {copy.barcode: Returned(copy.barcode, copy=copy) for copy in found}


def _take_back(
    work: Work, command: ReturnCopies, barcodes: Sequence[str], facts: ReturnFacts
) -> dict[str, Returned]:
    """Take back the copies that were on loan; return the outcomes by barcode."""
    of_copies = {
        copy_id: current(loan, facts.calendars[loan.branch_code])
        for copy_id, loan in facts.loans.items()
    }
    borrowers = facts.borrowers
    if lost := [copy.id for copy in facts.copies.values() if copy.state in LOST_STATES]:
        loans = store.lost_of_copies(work, lost)
        present = current_loans(work, loans.values())
        of_copies |= {copy_id: present[loan.id] for copy_id, loan in loans.items()}
        owing = {loan.patron_id for loan in loans.values()}
        borrowers = {**borrowers_store.borrowers(work, owing), **borrowers}

    results: dict[str, Returned] = {}
    ended: list[_Ended] = []
    for barcode in barcodes:
        try:
            copy, before = _on_loan(barcode, facts.copies, of_copies)
            billed = before.loan  # of a lost loan, the fine at its loss had the cap already
            if billed.state is LoanState.OPEN:
                billed = to_bill(work, billed, [end.charge for end in ended])
            end = _end(command, copy, before, billed, facts.suspensions, now=work.now)
        except refusals.Refusal as refusal:
            results[barcode] = _unchanged(work, barcode, facts.copies.get(barcode), refusal)
        else:
            ended.append(end)
            results[barcode] = Returned(barcode, end.loan, end.charge, end.statement, copy=end.copy)
    _save(work, command, ended, borrowers, facts.suspensions)
    withdrawn = (copy for copy in facts.copies.values() if copy.state is CopyState.WITHDRAWN)
    if back := {copy.title_id for copy in withdrawn if results[copy.barcode].loan}:
        catalogue_store.note_change(work, back)
    return results


def _unchanged(work: Work, barcode: str, copy: Copy | None, refusal: refusals.Refusal) -> Returned:
    """Return the outcome for a refused copy, as it is."""
    hold = holds_store.get(work, copy.hold_id) if copy and copy.hold_id else None
    return Returned(barcode, refused=refusals.ItemRefusal.by(refusal), copy=copy, hold=hold)


def _on_loan(
    barcode: str, copies: Mapping[str, Copy], loans: Mapping[str, CurrentLoan]
) -> tuple[Copy, CurrentLoan]:
    """Return a copy and its loan, by copy id in `loans`. Raises NoSuchCopy or CopyNotOnLoan."""
    if (copy := copies.get(barcode)) is None:
        raise refusals.NoSuchCopy(barcode=barcode)
    if (loan := loans.get(copy.id)) is None:
        raise refusals.CopyNotOnLoan
    return copy, loan


def _end(
    command: ReturnCopies,
    copy: Copy,
    before: CurrentLoan,
    billed: Loan,
    suspensions: Sequence[FineSuspension],
    *,
    now: datetime,
) -> _Ended:
    """Return the loan of a copy as ended at `now`; `billed` is the loan as its fine is counted.

    Raises ReturnedBeforeBorrowed or LentThatDay.
    """
    if command.reported:
        recorded_at = time_of(before.loan.id)
        check_reported_return(before.loan, command.on, command.reported, recorded_at)
    on = back_on(before.loan, command.on)
    time = command.time if on == command.on else None
    statement = settled(billed, fine(billed, before.calendar, suspensions, on, time))
    loan = give_back(
        before.loan,
        on=on,
        branch_code=command.branch,
        channel=command.channel,
        final_fine=statement,
        at=now,
    )
    copy = take_back(copy, on, branch_code=command.branch)
    lost = before.loan.state is LoanState.LOST
    charge = None if lost else assess(new_id(), billed, statement, on, late_times(billed, on, time))
    return _Ended(before, loan, copy, statement, charge)


def _save(
    work: Work,
    command: ReturnCopies,
    ended: Sequence[_Ended],
    borrowers: Mapping[str, Borrower],
    suspensions: Sequence[FineSuspension],
) -> None:
    """Save and publish the ended loans, and post what their patrons owe or get credited."""
    for end in ended:
        record_moves(work, end.before.moves)
        work.record(events.returned(end.loan, branch_code=command.branch, channel=command.channel))
    catalogue_store.save_copies(work, [end.copy for end in ended])
    for patron_id in dict.fromkeys(end.loan.patron_id for end in ended):
        own = [end for end in ended if end.loan.patron_id == patron_id]
        postings = [assessed(end.charge, work.now) for end in own if end.charge]
        for end in own:
            postings += _credits(work, command, end, suspensions)
        returned = sum(not end.was_lost for end in own)
        post(work, borrowers[patron_id], postings, loans=-returned)
    # Last, so that all reads come before it, and returns with a fine share transactions, too.
    store.save(work, [step for end in ended for step in (*end.before.moves, end.loan)])


def _credits(
    work: Work, command: ReturnCopies, ended: _Ended, suspensions: Sequence[FineSuspension]
) -> list[Posting]:
    """Return the credits for what the loan's loss or renewals charged although the copy was back.

    Only a return on an earlier day can come before a renewal.
    """
    was_earlier = ended.loan.returned_on != command.today
    if not ended.was_lost and not (was_earlier and ended.loan.renewals):
        return []
    occasion = Occasion(
        on=command.on,
        at=work.now,
        reason="found again" if ended.was_lost else "returned before its renewal",
        reference=ended.loan.id,
    )
    calendar = ended.before.calendar
    found = [
        credit_of_return(charge, ended.loan, calendar, suspensions, occasion)
        for charge in charges_store.of_loan(work, ended.loan.id)
    ]
    return [credit for credit in found if credit]


def _served(returned: Returned, served: Mapping[str, Served]) -> Returned:
    """Return the outcome with the copy on the hold shelf or in transit, if it went there."""
    if returned.copy is None or returned.copy.id not in served:
        return returned
    now = served[returned.copy.id]
    return replace(returned, copy=now.copy, hold=now.hold)
