"""Renew one, some or all loans of a patron."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from services.circulation.borrowers.commands import acting, may_act
from services.circulation.borrowers.store import add_override, get_reader
from services.circulation.charges.commands.ledger import post, to_bill
from services.circulation.loans import events
from services.circulation.loans.commands.current import save_change
from services.circulation.loans.refusals import NoSuchLoan
from services.circulation.loans.store import facts as facts_store
from services.circulation.loans.store import loans as store
from services.circulation.loans.store.facts import RenewalFacts
from services.circulation.refusals import MAY_BE_OVERRIDDEN, ItemRefusal, Refusal, WayOut
from services.circulation.rules.charge import Charge, assess
from services.circulation.rules.due_date import CurrentLoan, current, fine, late_times
from services.circulation.rules.fines import Statement
from services.circulation.rules.history import renews_on_due_date
from services.circulation.rules.ledger import assessed
from services.circulation.rules.loan import Loan, renew, renewal_reference
from services.circulation.rules.loan_period import LocalTime
from services.circulation.rules.override import Reason
from services.circulation.rules.patron import check_state, is_blocked, with_valid_card
from services.circulation.rules.ways_out import MOST_DAYS, Candidate, payments, ways_out
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work, brief


@dataclass(frozen=True)
class Renewal:
    """A renewed loan, its reference, and the fine up to the renewal if it was overdue."""

    loan: Loan
    reference: str
    charge: Charge | None
    statement: Statement


@brief()
def renew_loan(
    work: Work,
    loan_id: str,
    patron_id: str | None,
    on: date,
    override: Reason | None = None,
    *,
    time: LocalTime | None = None,
    may_be_behind: bool = False,
) -> Renewal:
    """Renew the loan at `time` of a day. `patron_id` is the patron who asks; None: staff.

    With `override`, staff renew despite the refusals that may be overridden.

    A patron may renew the loans of those whose cards are linked with theirs. Raises NoSuchLoan,
    also for another patron's loan, or a refusal of `loan.renew`.
    """
    loan = store.get(work, loan_id)
    if loan is None or not may_act(work, patron_id, loan.patron_id):
        raise NoSuchLoan
    facts = _facts(work, loan.patron_id, [loan], time)
    check_state(facts.patron, on, may_be_behind=may_be_behind)
    member = acting(patron_id, loan.patron_id)
    try:
        renewal = renew_one(work, loan, facts, on, member=member, override=override)
    except Refusal as refusal:
        owed = facts.borrower.outstanding_cents
        raise refusal.with_ways_out(ways_to_renew(loan, facts, on, owed)) from None
    post_renewals(work, facts, [renewal])
    return renewal


def renew_due_loan(work: Work, loan_id: str, on: date) -> bool:
    """Renew a loan on its due date if its policy says so; return whether it was renewed now.

    It stays as it is if it cannot be renewed, or if the patron wants no automatic renewal. A
    renewed loan is due later, so of two calls at the same time one returns True.
    """
    loan = store.get(work, loan_id)
    if loan is None or not renews_on_due_date(loan, get_reader(work, loan.patron_id)):
        return False
    try:
        facts = _facts(work, loan.patron_id, [loan], None)
        present = current(loan, facts.calendars[loan.branch_code])
        if present.calendar.next_open(present.loan.due_on) != on:
            return False
        renewal = renew_one(work, loan, facts, on, automatic=True)
    except Refusal:
        return False
    post_renewals(work, facts, [renewal])
    return True


def _facts(
    work: Work, patron_id: str, loans: Sequence[Loan], time: LocalTime | None
) -> RenewalFacts:
    facts = or_refuse(facts_store.renewal_facts(work, patron_id, loans), NoSuchLoan)
    return replace(facts, time=time)


def renew_one(
    work: Work,
    loan: Loan,
    facts: RenewalFacts,
    on: date,
    *,
    member: str | None = None,
    charged: Iterable[Charge | None] = (),
    override: Reason | None = None,
    automatic: bool = False,
) -> Renewal:
    """Renew one loan: save and publish it. Its charge is left to `post_renewals`.

    A refusal is raised before anything changes. `member` is the linked patron who renews it;
    `charged` are the fines of renewals before it.
    """
    present = current(loan, facts.calendars[loan.branch_code])
    loan, overridden = present.loan, None
    try:
        renewed = renewed_by(present, facts, on, facts.borrower.outstanding_cents)
    except MAY_BE_OVERRIDDEN as refusal:
        if override is None:
            raise
        renewed = renew(
            loan,
            on=on,
            calendar=present.calendar,
            queue=0,
            blocked=False,
            unlimited=True,
            time=facts.time,
        )
        add_override(work, loan, refusal.code, override)
        overridden = refusal.code
    billed = to_bill(work, loan, charged)
    statement = fine(billed, present.calendar, facts.suspensions, on, facts.time)
    late = late_times(billed, on, facts.time)
    charge = assess(new_id(), billed, statement, on, late)
    save_change(work, present, renewed)
    reference = renewal_reference(renewed)
    work.record(
        events.renewed(
            renewed,
            previous_due_on=loan.due_on,
            reference=reference,
            acting=member,
            overridden=overridden,
            automatic=automatic,
        )
    )
    return Renewal(renewed, reference, charge, statement)


def renewed_by(present: CurrentLoan, facts: RenewalFacts, on: date, owed_cents: int) -> Loan:
    """Return the loan renewed on `on` by a patron who owes this much, or raise its refusal."""
    loan, copy = present.loan, facts.copies[present.loan.copy_id]
    return renew(
        loan,
        on=on,
        calendar=present.calendar,
        queue=sum(
            waiting.hold.target.suits(copy)
            and waiting.can_be_served(loan.copy_category, facts.policies, on)
            for waiting in facts.queues.get(copy.queue_id, ())
        ),
        blocked=is_blocked(facts.patron, owed_cents, loan.policy),
        card_expires_on=facts.patron.card_expires_on,
        time=facts.time,
    )


def ways_to_renew(loan: Loan, facts: RenewalFacts, on: date, owed_cents: int) -> tuple[WayOut, ...]:
    """Return the ways out of a refused renewal: pay, or wait for a day before a fine begins."""
    present = current(loan, facts.calendars[loan.branch_code])
    due_on = present.calendar.next_open(present.loan.due_on) or on
    candidates = (
        Candidate(cents=cents, days=days)
        for days in range(min(max((due_on - on).days, 0), MOST_DAYS) + 1)
        for cents in payments(owed_cents, loan.policy.block_over_cents)
    )

    patron = with_valid_card(facts.patron, on)
    changed = replace(facts, patron=patron)

    def attempt(candidate: Candidate) -> Loan:
        day = on + timedelta(days=candidate.days)
        return renewed_by(present, changed, day, owed_cents + candidate.owed_cents)

    return ways_out(candidates, attempt, on, renews_card=patron is not facts.patron)


def post_renewals(work: Work, facts: RenewalFacts, renewals: Sequence[Renewal]) -> None:
    """Post the charges of the renewals.

    The patron's counts are written even if nothing is charged. A fine assessed by another
    transaction at the same time would have refused the renewals, so the two have to conflict.
    """
    if renewals:
        charges = [renewal.charge for renewal in renewals if renewal.charge]
        post(work, facts.borrower, [assessed(charge, work.now) for charge in charges])


@dataclass(frozen=True)
class Attempt:
    """Outcome for one loan: a renewal or a refusal."""

    loan_id: str
    renewal: Renewal | None
    refused: ItemRefusal | None


def renew_all_loans(
    work: Work,
    patron_id: str,
    on: date,
    loan_ids: tuple[str, ...] | None = None,
    time: LocalTime | None = None,
    *,
    may_be_behind: bool = False,
) -> list[Attempt]:
    """Renew a patron's loans, all or those given; return the outcome for each, in turn.

    Each loan is renewed or refused on its own; the cost of one renewal does not refuse another. Ids
    that are no open loan of the patron come last, as refused.
    """
    loans = store.open_of_patron(work, patron_id)
    if loan_ids is not None:
        loans = [loan for loan in loans if loan.id in loan_ids]
    missing = {*(loan_ids or ())} - {loan.id for loan in loans}
    none = [Attempt(loan_id, None, ItemRefusal.by(NoSuchLoan())) for loan_id in sorted(missing)]
    if not loans:
        return none
    facts = _facts(work, patron_id, loans, time)
    check_state(facts.patron, on, may_be_behind=may_be_behind)
    attempts: list[Attempt] = []
    for loan in loans:
        try:
            charged = [each.renewal.charge for each in attempts if each.renewal]
            renewal = renew_one(work, loan, facts, on, charged=charged)
        except Refusal as refusal:
            attempts.append(Attempt(loan.id, None, ItemRefusal.by(refusal)))
        else:
            attempts.append(Attempt(loan.id, renewal, None))
    made = [each.renewal for each in attempts if each.renewal]
    post_renewals(work, facts, made)
    fines = sum(renewal.charge.amount_cents for renewal in made if renewal.charge)
    owed = facts.borrower.outstanding_cents + fines
    by_id = {loan.id: loan for loan in loans}
    return [
        replace(
            each,
            refused=replace(
                each.refused, ways_out=ways_to_renew(by_id[each.loan_id], facts, on, owed)
            ),
        )
        if each.refused
        else each
        for each in attempts
    ] + none
