"""Undo a check-out or a return that was a mistake at the desk."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.circulation.borrowers import store as borrowers_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges import store as charges_store
from services.circulation.charges.commands.ledger import post
from services.circulation.charges.refusals import PaymentUnderWay
from services.circulation.holds import events as hold_events
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.queue import hand_out
from services.circulation.loans import events
from services.circulation.loans.refusals import NoSuchLoan
from services.circulation.loans.store import loans as store
from services.circulation.refusals import NoSuchCopy, Refusal, TooLateToUndo
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import hold as hold_rules
from services.circulation.rules.charge import Charge, ends
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ledger import Occasion, Posting, lower
from services.circulation.rules.loan import Channel, Loan
from services.circulation.rules.undo import undo_check_out, undo_return
from shared.ids import time_of
from shared.refusals import or_refuse
from shared.unit_of_work import Work


@dataclass(frozen=True)
class Undo:
    """Command to undo the check-out or the return of a loan at the branch that made it."""

    loan_id: str
    branch: str
    today: date
    real_time: datetime
    """Time by the wall clock, which loan ids have."""


@dataclass(frozen=True)
class LastCheckOut:
    """Command to undo the check-out of a copy, at the branch and by the channel that made it."""

    barcode: str
    card_digests: tuple[str, ...] = field(repr=False)
    """Digests of the borrower's card with each key, one of which is stored."""
    branch: str
    channel: Channel
    today: date
    real_time: datetime
    """Time by the wall clock, which loan ids have."""


@dataclass(frozen=True)
class LastReturn:
    """Command to undo the last return of a copy, at the branch and by the channel that made it."""

    barcode: str
    branch: str
    channel: Channel
    today: date


@dataclass(frozen=True)
class Undone:
    """The loan after the undo; its copy; the hold that the copy is kept or sent for."""

    loan: Loan
    copy: Copy
    hold: Hold | None = None


def undo_of_check_out(work: Work, command: Undo) -> Undone:
    """Delete the loan, so that it never was: its holds are open again, their fees are credited.

    The copy lies at the desk: it is kept for the hold that it was ready for, goes to the first that
    waits for it, or home.

    Raises NoSuchLoan, LoanLost, LoanNotOpen, TooLateToUndo or PaymentUnderWay.
    """
    return _undo_check_out(work, _loan(work, command.loan_id), command)


def undo_of_last_check_out(work: Work, command: LastCheckOut) -> Undone:
    """Undo the check-out of a copy to the holder of a card as `undo_of_check_out` does.

    Raises NoSuchCopy, TooLateToUndo or PaymentUnderWay.
    """
    loan = store.open_of_copy(work, _copy(work, command.barcode).id)
    patron = borrowers_store.get_patron(work, loan.patron_id) if loan else None
    if loan is None or patron is None or patron.card_digest not in command.card_digests:
        raise TooLateToUndo
    return _undo_check_out(work, loan, command, command.channel)


def _undo_check_out(
    work: Work, loan: Loan, command: Undo | LastCheckOut, channel: Channel | None = None
) -> Undone:
    made = time_of(loan.id)
    age = command.real_time - made if made else None
    after = undo_check_out(loan, branch_code=command.branch, age=age, channel=channel)
    [copy] = catalogue_store.some_copies(work, [loan.copy_id]).values()
    holds_store.take_turn(work, {copy.queue_id})
    freed = copy_rules.undo_lend(copy, branch_code=command.branch)
    steps, kept = [freed], None
    reopened = []
    for hold in _ended_by(work, loan):
        own = hold.copy_id == copy.id
        again = hold_rules.reopen(hold, command.branch if own else None)
        was = replace(hold, state=again.state)  # nobody is notified again that it is ready
        work.record(hold_events.changed(was, again))
        reopened.append(again)
        if again.state is HoldState.READY:
            kept = again
            steps.append(copy_rules.keep(freed, again.id))
    borrower = borrowers_store.borrower(work, loan.patron_id)
    fees = charges_store.fees_of(work, loan.patron_id, loan.ended_holds) if reopened else []
    postings = _credits(work, fees, loan, command.today)
    post(work, borrower, postings, loans=-1, holds=len(reopened))
    store.purge(work, loan)
    catalogue_store.save_copies(work, steps)
    holds_store.save(work, reopened)
    work.record(events.undone(after, "check-out"))
    if kept:
        return Undone(after, steps[-1], kept)
    served = hand_out(work, {copy.queue_id}, command.today, freed=steps, in_hand={copy.id}).get(
        copy.id
    )
    return Undone(after, served.copy, served.hold) if served else Undone(after, freed)


def _ended_by(work: Work, loan: Loan) -> list[Hold]:
    """Return the holds that the loan ended and that are to be open again.

    One that the patron placed again, or that another of their open loans ended as well, is not.
    """
    if not loan.ended_holds:
        return []
    others = [each for each in store.open_of_patron(work, loan.patron_id) if each.id != loan.id]
    ended_again = {hold_id for each in others for hold_id in each.ended_holds}
    own = holds_store.open_of_patron(work, loan.patron_id)
    targets = {(hold.title_id, hold.volume) for hold in own}
    found = holds_store.some(work, loan.ended_holds).values()
    return [
        hold
        for hold in found
        if not hold.is_open
        and hold.id not in ended_again
        and (hold.title_id, hold.volume) not in targets
    ]


def undo_of_return(work: Work, command: Undo) -> Undone:
    """Open the loan again as it was; its fine is credited, and the hold that got the copy waits.

    Raises NoSuchLoan, LoanLost, ReturnNotMade, TooLateToUndo or PaymentUnderWay.
    """
    return _undo_return(work, _loan(work, command.loan_id), command)


def undo_of_last_return(work: Work, command: LastReturn) -> Undone:
    """Undo the last return of a copy as `undo_of_return` does.

    Raises NoSuchCopy, LoanLost, TooLateToUndo or PaymentUnderWay.
    """
    loan = store.last_returned(work, _copy(work, command.barcode).id)
    if loan is None:
        raise TooLateToUndo
    return _undo_return(work, loan, command, command.channel)


def _undo_return(
    work: Work, loan: Loan, command: Undo | LastReturn, channel: Channel | None = None
) -> Undone:
    branch, today = command.branch, command.today
    after = undo_return(loan, branch_code=branch, on=today, at=work.now, channel=channel)
    [copy] = catalogue_store.some_copies(work, [loan.copy_id]).values()
    holds_store.take_turn(work, {copy.queue_id})
    borrower = borrowers_store.borrower(work, loan.patron_id)
    if copy.at_branch != branch or borrower.closed:
        raise TooLateToUndo
    try:
        lent = copy_rules.undo_take_back(
            copy, lent_on=loan.borrowed_on, branch_code=loan.branch_code
        )
    except Refusal as refusal:  # it is on loan again, damaged or lost
        raise TooLateToUndo from refusal
    fines = [each for each in charges_store.of_loan(work, loan.id) if ends(each, loan)]
    if any(fine.amount_cents != fine.outstanding_cents for fine in fines):
        raise TooLateToUndo
    post(work, borrower, _credits(work, fines, loan, today), loans=1)
    catalogue_store.save_copies(work, [lent])
    store.save(work, [after])
    work.record(events.undone(after, "return"))
    if copy.hold_id and (hold := holds_store.get(work, copy.hold_id)):
        waits = hold_rules.put_back(hold)
        holds_store.save(work, [waits])
        work.record(hold_events.changed(hold, waits))
        hand_out(work, {copy.queue_id}, today)
    return Undone(after, lent)


def _loan(work: Work, loan_id: str) -> Loan:
    return or_refuse(store.get(work, loan_id), NoSuchLoan)


def _copy(work: Work, barcode: str) -> Copy:
    found = catalogue_store.copies_with(work, [barcode]).get(barcode)
    if found is None:
        raise NoSuchCopy(barcode=barcode)
    return found


def _credits(work: Work, charges: list[Charge], loan: Loan, on: date) -> list[Posting]:
    """Return the postings that credit charges whole. Raises PaymentUnderWay."""
    if charges and charges_store.claimed(work, [charge.id for charge in charges]):
        raise PaymentUnderWay
    occasion = Occasion(on=on, at=work.now, reason="undone", reference=loan.id)
    return [credit for charge in charges if (credit := lower(charge, 0, occasion))]
