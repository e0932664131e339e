"""Facts that decide check-outs, returns and renewals, each read in one round trip."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.circulation.holds import store as holds_store
from services.circulation.loans.store.loans import OPEN
from services.circulation.policies import store as policies_store
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
from services.circulation.rules.hold_queue import Waiting
from services.circulation.rules.loan import Loan
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.patron import Borrower, Patron
from services.circulation.rules.policy import PolicyMatrix
from services.circulation.rules.suspension import FineSuspension
from shared import reading
from shared.mongo import (
    from_document,
)
from shared.reads import Read, Reads
from shared.unit_of_work import Work


@dataclass(frozen=True)
class CheckOutFacts:
    """The facts that decide a check-out, besides its day."""

    branch: BranchCalendar
    """Calendar of the lending branch."""
    patron: Patron | None
    """Holder of the card; None if circulation knows none or more than one."""
    borrower: Borrower
    """Counts of the patron."""
    holds: Sequence[Hold]
    """Open holds of the patron."""
    copies: Mapping[str, Copy]
    """Copies that the library has, by barcode."""
    policies: PolicyMatrix


def check_out_reads(
    branch_code: str, barcodes: Collection[str], holder: Mapping[str, Any]
) -> Reads:
    """Return the reads of `check_out_facts` at a branch; `holder` is the query for the patron.

    Two patrons can have one card for a moment: it passed from one to the other, and one of the two
    events has not arrived yet.
    """
    return Reads(
        "calendars",
        {"_id": branch_code},
        patrons=Read("patrons", holder, limit=2),
        borrowers=Read("borrowers", by=("patrons._id", "_id")),
        holds=Read("holds", holds_store.OPEN, by=("patrons._id", "patron_id")),
        copies=Read("copies", {"barcode": {"$in": sorted(barcodes)}}),
        editions=policies_store.EDITION,
    )


def check_out_facts(work: Work, reads: Reads) -> CheckOutFacts | None:
    """Return the facts of a check-out; None if circulation does not know the branch."""
    found = work.read(reads)
    if found is None:
        return None
    patrons = reading.values(Patron, found.pop("patrons"))
    patron = patrons[0] if len(patrons) == 1 else None
    borrowers = reading.values(Borrower, found.pop("borrowers"))
    counts = {borrower.id: borrower for borrower in borrowers}
    patron_id = patron.id if patron else ""
    return CheckOutFacts(
        patron=patron,
        borrower=counts.get(patron_id, Borrower(patron_id)),
        holds=reading.values(Hold, found.pop("holds")),
        copies={copy.barcode: copy for copy in reading.values(Copy, found.pop("copies"))},
        policies=policies_store.of_editions(work, found.pop("editions")),
        branch=from_document(BranchCalendar, found),
    )


@dataclass(frozen=True)
class ReturnFacts:
    """The facts that decide the return of copies, besides its day."""

    copies: Mapping[str, Copy]
    """Copies that the library has, by barcode."""
    loans: Mapping[str, Loan]
    """Open loans of the copies, by copy id."""
    calendars: Mapping[str, BranchCalendar]
    """Calendars of the branches that lent the copies, by code."""
    borrowers: Mapping[str, Borrower]
    """Counts of the patrons who have the copies, by patron id."""
    awaited: frozenset[str]
    """Titles of the copies for which a hold waits; a hold on any edition may name another."""
    suspensions: Sequence[FineSuspension]


def return_reads(branch_code: str, barcodes: Collection[str]) -> Reads:
    """Return the reads of `return_facts` at a branch."""
    return Reads(
        "calendars",
        {"_id": branch_code},
        copies=Read("copies", {"barcode": {"$in": sorted(barcodes)}}),
        loans=Read("loans", OPEN, by=("copies._id", "copy_id")),
        calendars=Read("calendars", by=("loans.branch_code", "_id")),
        borrowers=Read("borrowers", by=("loans.patron_id", "_id")),
        waiting=Read("holds", holds_store.WAITING, by=("copies.title_id", "title_id")),
        suspensions=Read("suspensions"),
    )


def return_facts(work: Work, reads: Reads) -> ReturnFacts | None:
    """Return the facts of a return; None if circulation does not know the branch."""
    found = work.read(reads)
    if found is None:
        return None
    open_loans = reading.values(Loan, found["loans"])
    counts = {loan.patron_id: Borrower(loan.patron_id) for loan in open_loans}
    return ReturnFacts(
        copies={copy.barcode: copy for copy in reading.values(Copy, found["copies"])},
        loans={loan.copy_id: loan for loan in open_loans},
        calendars=reading.by_id(BranchCalendar, found["calendars"]),
        borrowers=counts | reading.by_id(Borrower, found["borrowers"]),
        awaited=frozenset(hold["title_id"] for hold in found["waiting"]),
        suspensions=reading.values(FineSuspension, found["suspensions"]),
    )


@dataclass(frozen=True)
class RenewalFacts:
    """The facts that decide the renewals of a patron's loans, besides their day."""

    patron: Patron
    borrower: Borrower
    """Counts before the renewals, so that the cost of one renewal does not refuse another."""
    calendars: Mapping[str, BranchCalendar]
    """Calendars of the branches that lent the copies, by code."""
    copies: Mapping[str, Copy]
    """Copies of the loans, by id."""
    queues: Mapping[str, Sequence[Waiting]]
    """Waiting holds in the queues of the copies in turn, by queue."""
    policies: PolicyMatrix
    suspensions: Sequence[FineSuspension]
    time: LocalTime | None = None
    """Time of the renewals, for loans by hours."""


def renewal_facts(work: Work, patron_id: str, renewed: Collection[Loan]) -> RenewalFacts | None:
    """Return the facts of the renewals of some loans; None if circulation does not know the patron.

    The loans are the patron's.
    """
    branches = sorted({loan.branch_code for loan in renewed})
    found = work.read(
        Reads(
            "patrons",
            {"_id": patron_id},
            borrowers=Read("borrowers", {"_id": patron_id}),
            calendars=Read("calendars", {"_id": {"$in": branches}}),
            copies=Read("copies", {"barcode": {"$in": sorted(loan.barcode for loan in renewed)}}),
            suspensions=Read("suspensions"),
            editions=policies_store.EDITION,
            **holds_store.queue_reads({loan.title_id for loan in renewed}),
        )
    )
    if found is None:
        return None
    copies = reading.by_id(Copy, found.pop("copies"))
    queues = holds_store.read_queues(found)
    if works := {copy.work_id for copy in copies.values() if copy.work_id}:
        queue_reads = holds_store.queue_reads(works)
        waiting = work.read(Reads("patrons", {"_id": patron_id}, **queue_reads))
        queues |= holds_store.read_queues(waiting or {})
    borrowers = reading.by_id(Borrower, found.pop("borrowers"))
    return RenewalFacts(
        borrower=borrowers.get(patron_id, Borrower(patron_id)),
        calendars=reading.by_id(BranchCalendar, found.pop("calendars")),
        suspensions=reading.values(FineSuspension, found.pop("suspensions")),
        policies=policies_store.of_editions(work, found.pop("editions")),
        copies=copies,
        queues=queues,
        patron=from_document(Patron, found),
    )
