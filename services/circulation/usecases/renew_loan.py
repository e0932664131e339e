"""Renew a loan."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from services.circulation import store
from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.charge import Charge, assess
from services.circulation.domain.fines import Statement
from services.circulation.domain.hold import Waiting
from services.circulation.domain.ledger import assessed
from services.circulation.domain.loan import Loan, catch_up, fine, renew, renewal_reference
from services.circulation.domain.patron import Borrower, Patron, is_blocked
from services.circulation.domain.policy import PolicyMatrix
from services.circulation.domain.refusals import NoSuchLoan
from services.circulation.domain.suspension import FineSuspension
from services.circulation.usecases.post_to_ledger import post
from services.circulation.usecases.serve_holds import queues_of
from services.circulation.usecases.tell_of_loan import snapshot, tell_moves
from shared.contracts.circulation import LoanRenewed
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenewLoan:
    """Which loan, and on which day. `patron_id` is who asks; None: staff."""

    loan_id: str
    patron_id: str | None
    on: date


@dataclass(frozen=True)
class Renewal:
    """A renewed loan, what to quote, and what the days before cost if it was overdue."""

    loan: Loan
    reference: str
    charge: Charge | None
    statement: Statement


@dataclass(frozen=True)
class Terms:
    """What the renewal of a patron's loans is decided by."""

    patron: Patron
    borrower: Borrower
    """As it was before: what these renewals themselves assess refuses none of them."""
    calendars: dict[str, BranchCalendar]
    queues: dict[str, list[Waiting]]
    """Who waits for the titles of the loans."""
    policies: PolicyMatrix
    suspensions: list[FineSuspension]


async def renew_loan(work: Work, command: RenewLoan) -> Renewal:
    """The renewal. Raises NoSuchLoan (also for another patron's) or what refuses a renewal."""
    loan = await store.loans.get(work, command.loan_id)
    if loan is None or command.patron_id not in (None, loan.patron_id):
        raise NoSuchLoan
    terms = await renewal_terms(work, loan.patron_id, [loan])
    renewal = await renew_one(work, loan, terms, command.on)
    await note_renewals(work, terms, [renewal])
    return renewal


async def renewal_terms(work: Work, patron_id: str, loans: Sequence[Loan]) -> Terms:
    """What the renewal of some loans of one patron is decided by, in a few reads."""
    patron = await store.patrons.get(work, patron_id)
    if patron is None:
        raise NoSuchLoan
    return Terms(
        patron,
        await store.patrons.borrower(work, patron_id),
        await store.calendars.some(work, {loan.branch_code for loan in loans}),
        await queues_of(work, {loan.title_id for loan in loans}),
        await store.policies.matrix(work),
        await store.suspensions.every(work),
    )


async def renew_one(work: Work, loan: Loan, terms: Terms, on: date) -> Renewal:
    """One loan's renewal, saved and told; what it costs is left to `note_renewals`.

    A refusal is raised before anything is changed.
    """
    calendar = terms.calendars[loan.branch_code]
    moved = catch_up(loan, calendar)
    loan = moved[-1] if moved else loan
    renewed = renew(
        loan,
        on=on,
        calendar=calendar.now,
        queue=sum(
            waiting.can_be_served(loan.copy_category, terms.policies, on)
            for waiting in terms.queues.get(loan.title_id, ())
        ),
        blocked=is_blocked(terms.patron, terms.borrower.outstanding_cents, loan.policy),
    )
    statement = fine(loan, calendar.now, terms.suspensions, on)
    charge = assess(new_id(), loan, statement, on)
    await store.loans.save(work, [*moved, renewed])
    tell_moves(work, moved)
    reference = renewal_reference(renewed)
    work.record(LoanRenewed(**snapshot(renewed), previous_due_on=loan.due_on, reference=reference))
    return Renewal(renewed, reference, charge, statement)


async def note_renewals(work: Work, terms: Terms, renewals: Sequence[Renewal]) -> None:
    """Charge what the renewals cost.

    Written even where they cost nothing: a fine assessed by another call at this moment would
    have refused them, so one of the two has to wait.
    """
    if renewals:
        charges = [renewal.charge for renewal in renewals if renewal.charge]
        await post(work, terms.borrower, [assessed(charge, work.now) for charge in charges])
