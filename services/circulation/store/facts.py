"""The facts that decide a command, each set read in one round trip of its transaction."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.copy import Copy
from services.circulation.domain.hold import Hold
from services.circulation.domain.hold_queue import Waiting
from services.circulation.domain.loan import Loan
from services.circulation.domain.patron import Borrower, Patron
from services.circulation.domain.policy import PolicyMatrix
from services.circulation.domain.suspension import FineSuspension
from services.circulation.store import holds, loans, policies
from shared.mongo import Document, from_document
from shared.work import Read, Work

V = TypeVar("V")


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


def of_check_out(
    work: Work, branch_code: str, barcodes: Collection[str], holder: Mapping[str, Any]
) -> CheckOutFacts | None:
    """Return the facts of a check-out at a branch; None if circulation does not know the branch.

    `holder` is the query for the patron. Two patrons can have one card for a moment: it passed from
    one to the other, and one of the two events has not arrived yet.
    """
    found = work.read(
        "calendars",
        {"_id": branch_code},
        patrons=Read("patrons", holder, limit=2),
        borrowers=Read("borrowers", by=("patrons._id", "_id")),
        holds=Read("holds", holds.OPEN, by=("patrons._id", "patron_id")),
        copies=Read("copies", {"barcode": {"$in": sorted(barcodes)}}),
        editions=policies.EDITION,
    )
    if found is None:
        return None
    patrons = _values(Patron, found.pop("patrons"))
    patron = patrons[0] if len(patrons) == 1 else None
    borrowers = _values(Borrower, found.pop("borrowers"))
    counts = {borrower.id: borrower for borrower in borrowers}
    patron_id = patron.id if patron else ""
    return CheckOutFacts(
        patron=patron,
        borrower=counts.get(patron_id, Borrower(patron_id)),
        holds=_values(Hold, found.pop("holds")),
        copies={copy.barcode: copy for copy in _values(Copy, found.pop("copies"))},
        policies=policies.of_editions(work, found.pop("editions")),
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
    """Titles of the copies for which a hold waits."""
    suspensions: Sequence[FineSuspension]


def of_return(work: Work, branch_code: str, barcodes: Collection[str]) -> ReturnFacts | None:
    """Return the facts of a return at a branch; None if circulation does not know the branch."""
    found = work.read(
        "calendars",
        {"_id": branch_code},
        copies=Read("copies", {"barcode": {"$in": sorted(barcodes)}}),
        loans=Read("loans", loans.OPEN, by=("copies._id", "copy_id")),
        calendars=Read("calendars", by=("loans.branch_code", "_id")),
        borrowers=Read("borrowers", by=("loans.patron_id", "_id")),
        waiting=Read("holds", holds.WAITING, by=("copies.title_id", "title_id")),
        suspensions=Read("suspensions"),
    )
    if found is None:
        return None
    open_loans = _values(Loan, found["loans"])
    counts = {loan.patron_id: Borrower(loan.patron_id) for loan in open_loans}
    return ReturnFacts(
        copies={copy.barcode: copy for copy in _values(Copy, found["copies"])},
        loans={loan.copy_id: loan for loan in open_loans},
        calendars=_by_id(BranchCalendar, found["calendars"]),
        borrowers=counts | _by_id(Borrower, found["borrowers"]),
        awaited=frozenset(hold["title_id"] for hold in found["waiting"]),
        suspensions=_values(FineSuspension, found["suspensions"]),
    )


@dataclass(frozen=True)
class RenewalFacts:
    """The facts that decide the renewals of a patron's loans, besides their day."""

    patron: Patron
    borrower: Borrower
    calendars: Mapping[str, BranchCalendar]
    """Calendars of the branches that lent the copies, by code."""
    queues: Mapping[str, Sequence[Waiting]]
    """Waiting holds of the loans' titles in turn, by title."""
    policies: PolicyMatrix
    suspensions: Sequence[FineSuspension]


def of_renewals(work: Work, patron_id: str, renewed: Collection[Loan]) -> RenewalFacts | None:
    """Return the facts of the renewals of some loans; None if circulation does not know the patron.

    The loans are the patron's.
    """
    branches = sorted({loan.branch_code for loan in renewed})
    found = work.read(
        "patrons",
        {"_id": patron_id},
        borrowers=Read("borrowers", {"_id": patron_id}),
        calendars=Read("calendars", {"_id": {"$in": branches}}),
        suspensions=Read("suspensions"),
        editions=policies.EDITION,
        **_queue_reads({loan.title_id for loan in renewed}),
    )
    if found is None:
        return None
    borrowers = _by_id(Borrower, found.pop("borrowers"))
    return RenewalFacts(
        borrower=borrowers.get(patron_id, Borrower(patron_id)),
        calendars=_by_id(BranchCalendar, found.pop("calendars")),
        suspensions=_values(FineSuspension, found.pop("suspensions")),
        policies=policies.of_editions(work, found.pop("editions")),
        queues=_queues(found),
        patron=from_document(Patron, found),
    )


def of_queues(work: Work, title_ids: Collection[str]) -> Mapping[str, Sequence[Waiting]]:
    """Return the waiting holds of some titles in turn, by title, with what decides about them.

    The queues of the titles have been written already. Titles that nobody waits for are left out.
    """
    if not title_ids:
        return {}
    any_queue = {"_id": {"$in": sorted(title_ids)}}
    found = work.read("queues", any_queue, **_queue_reads(title_ids))
    if found is None:
        raise LookupError("the queues of the titles have not been written")
    return _queues(found)


def _queue_reads(title_ids: Collection[str]) -> dict[str, Read]:
    """Return the reads of the waiting holds of some titles, and of the facts that decide them."""
    waiting = {"title_id": {"$in": sorted(title_ids)}, **holds.WAITING}
    return {
        "waiting": Read("holds", waiting, sort={"title_id": 1, "place": 1}),
        "waiting_patrons": Read("patrons", by=("waiting.patron_id", "_id")),
        "waiting_borrowers": Read("borrowers", by=("waiting.patron_id", "_id")),
        "waiting_calendars": Read("calendars", by=("waiting.pickup_branch", "_id")),
    }


def _queues(found: Document) -> dict[str, list[Waiting]]:
    """Take the queues out of the document that `_queue_reads` filled; return them by title."""
    patrons = _by_id(Patron, found.pop("waiting_patrons"))
    borrowers = _by_id(Borrower, found.pop("waiting_borrowers"))
    calendars = _by_id(BranchCalendar, found.pop("waiting_calendars"))
    queues: dict[str, list[Waiting]] = {}
    for hold in _values(Hold, found.pop("waiting")):
        borrower, calendar = borrowers.get(hold.patron_id), calendars.get(hold.pickup_branch)
        queues.setdefault(hold.title_id, []).append(
            Waiting(
                hold,
                patrons.get(hold.patron_id),
                borrower.outstanding_cents if borrower else 0,
                calendar.now if calendar else None,
            )
        )
    return queues


def _values(kind: type[V], documents: Sequence[Document]) -> list[V]:
    return [from_document(kind, document) for document in documents]


def _by_id(kind: type[V], documents: Sequence[Document]) -> dict[str, V]:
    return {document["_id"]: from_document(kind, document) for document in documents}
