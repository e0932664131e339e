"""Lend copies to the holder of a card."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from services.circulation import refusals
from services.circulation.borrowers import store as borrowers_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.charges.commands.ledger import post
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.holds import release_hold
from services.circulation.loans import events
from services.circulation.loans.refusals import InTheFuture, NoSuchCard, TooLongAgo
from services.circulation.loans.store import facts as facts_store
from services.circulation.loans.store import loans as store
from services.circulation.rules import loan as loan_rules
from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.charge import Charge, ChargeKind, new_charge
from services.circulation.rules.copy import Copy
from services.circulation.rules.fulfilment import ended_by, hold_for, with_holds
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ledger import assessed
from services.circulation.rules.loan import Channel, Loan
from services.circulation.rules.loan_period import Due, LocalTime
from services.circulation.rules.override import Reason
from services.circulation.rules.patron import (
    Borrower,
    Patron,
    check_state,
    is_blocked,
    with_valid_card,
)
from services.circulation.rules.policy import PolicyMatrix
from services.circulation.rules.ways_out import (
    Candidate,
    OpenLoans,
    payments,
    returns,
    ways_out,
)
from shared.ids import new_id
from shared.reads import Reads
from shared.unit_of_work import Work, brief


@dataclass(frozen=True)
class LendingTerms:
    """Facts that decide a check-out by one patron at one branch."""

    patron: Patron
    borrower: Borrower
    branch: BranchCalendar
    """Calendar of the lending branch."""
    policies: PolicyMatrix
    copies: Mapping[str, Copy]
    """Copies that the library has, by barcode."""
    holds: Sequence[Hold]
    """The patron's open holds."""
    on: date
    """Day of the loans."""
    today: date
    time: LocalTime | None = None
    promised: Due | None = None
    channel: Channel | None = None
    own: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Copy category and lending branch of the patron's open loans, by id.

    It is read only if a policy row of the copies limits such loans."""


@dataclass(frozen=True)
class Lent:
    """Outcome for one copy: a loan or a refusal.

    Both are set if the copy was lent offline despite the refusal.
    """

    barcode: str
    loan: Loan | None
    refused: refusals.ItemRefusal | None
    renewals_left: int = 0
    """Number of renewals that the loan still has today."""
    copy: Copy | None = None
    """The copy on loan, or as it is if it was refused; None if the library has no such copy, or if
    its loan was known before."""

    overridden: str | None = None
    """Code of the refusal despite which staff lent the copy; None: there was none."""

    @property
    def is_new(self) -> bool:
        """True if the copy was lent now."""
        return self.loan is not None and self.copy is not None


def lend_each(
    terms: LendingTerms,
    barcodes: Sequence[str],
    *,
    overridden: tuple[type[refusals.Refusal], ...] = (),
) -> list[Lent]:
    """Lend the copies; return the outcome for each, in the given order.

    `overridden` are refusals despite which a copy is lent, because it has left the library already.
    """
    results: list[Lent] = []
    for barcode in barcodes:
        made = [each.loan for each in results if each.loan and each.is_new]
        try:
            results.append(_lend(terms, barcode, made, overridden))
        except refusals.Refusal as refusal:
            refused = refusals.ItemRefusal.by(refusal)
            results.append(Lent(barcode, None, refused, copy=terms.copies.get(barcode)))
    return results


def _lend(
    terms: LendingTerms,
    barcode: str,
    made: Sequence[Loan],
    overridden: tuple[type[refusals.Refusal], ...],
) -> Lent:
    """Lend one copy; `made` are the loans of the copies lent before it."""
    if (copy := terms.copies.get(barcode)) is None:
        raise refusals.NoSuchCopy(barcode=barcode)
    policy = terms.policies.pick(terms.patron.category, copy.category, terms.branch.kind)
    hold = hold_for(terms.holds, copy)

    own = [*terms.own.values(), *map(_kind_of, made)]

    def lend(patron: Patron, *, blocked: bool, open_loans: int, own: Sequence[Any]) -> Lent:
        loan, lent = loan_rules.check_out(
            loan_id=new_id(),
            copy=copy,
            patron=patron,
            policy=policy,
            calendar=terms.branch.now,
            on=terms.on,
            time=terms.time,
            promised=terms.promised,
            hold_id=hold.id if hold else None,
            channel=terms.channel,
            blocked=blocked,
            open_loans=open_loans,
            of_category=sum(category == copy.category for category, _ in own),
            at_branch=sum(branch == terms.branch.id for _, branch in own),
        )
        left = loan_rules.renewals_left(loan, terms.branch.now, terms.today)
        return Lent(barcode, loan, None, left, lent)

    try:
        return lend(
            terms.patron,
            blocked=is_blocked(terms.patron, terms.borrower.outstanding_cents, policy),
            open_loans=terms.borrower.open_loans + len(made),
            own=own,
        )
    except overridden as refusal:
        patron = replace(terms.patron, card_expires_on=None)
        lent = lend(patron, blocked=False, open_loans=-1, own=())
        return replace(lent, refused=refusals.ItemRefusal.by(refusal))


def _kind_of(loan: Loan) -> tuple[str, str]:
    return loan.copy_category, loan.branch_code


def save_loans(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> None:
    """Save and publish the new loans, and end the holds that they fulfil."""
    taken = [(each.loan, each.copy) for each in results if each.loan and each.copy]
    if not taken:
        return
    ended = list(ended_by(terms.holds, [copy for _, copy in taken], terms.today))
    loans = [with_holds(loan, copy, ended) for loan, copy in taken]
    # First, because two stations at once conflict here; the later one then loses little work.
    fees = _fees(ended, loans, terms.on)
    post(
        work,
        terms.borrower,
        [assessed(fee, work.now) for fee in fees],
        loans=len(loans),
        holds=-len(ended),
    )
    catalogue_store.save_copies(work, (copy for _, copy in taken))
    store.add(work, loans)
    overridden = {each.barcode: each.overridden for each in results}
    for loan in loans:
        work.record(events.checked_out(loan, overridden[loan.barcode]))
    for hold, after in ended:
        release_hold(work, hold, after)


def _fees(
    ended: Collection[tuple[Hold, Hold]], loans: Collection[Loan], on: date
) -> Iterator[Charge]:
    """Yield the fees for the collected holds, by the policy rows of the loans."""
    for _, hold in ended:
        for loan in loans:
            fee = loan.policy.hold_fee_cents
            if fee and hold.state is HoldState.COLLECTED and loan.copy_id == hold.copy_id:
                yield new_charge(
                    new_id(), hold.patron_id, ChargeKind.HOLD_FEE, fee, on, hold_id=hold.id
                )


OFFLINE_DAYS = 31
"""Most days by which a check-out may be back-dated, because its station was offline."""


@dataclass(frozen=True)
class CheckOut:
    """Command to lend copies to the holder of a card.

    `patron` is the response of accounts about a card that circulation does not know.
    """

    card_digests: tuple[str, ...] = field(repr=False)
    """Digests of the card with each key, one of which is stored."""
    barcodes: tuple[str, ...]
    branch: str
    on: date
    today: date
    patron: Patron | None = None
    override: Reason | None = None
    """Why staff lend despite the refusals that may be overridden; None: they don't."""
    time: LocalTime | None = None
    """Time of the loans, if it is known; a loan by hours begins then."""
    promised: Due | None = None
    """Due date that the station gave while it was offline; None: it is not known."""
    channel: Channel | None = None
    patron_id: str = ""
    """Patron who borrows for themselves, without a card; empty: the holder of the card."""
    may_be_behind: bool = False
    """True: PatronInDoubt is raised where only the patron's state refuses."""


def _reads(command: CheckOut) -> Reads:
    holder: dict[str, Any] = {"card_digest": {"$in": list(command.card_digests)}}
    if command.patron is not None or command.patron_id:
        holder = {"_id": command.patron.id if command.patron else command.patron_id}
    return facts_store.check_out_reads(command.branch, command.barcodes, holder)


@brief(_reads)
def check_out(work: Work, command: CheckOut) -> list[Lent]:
    """Lend the copies; return the outcome for each, in the order of the command.

    Each copy is lent or refused on its own. Raises InTheFuture, TooLongAgo, NoSuchCard or
    NoSuchBranch for the whole command.
    """
    terms = lending_terms(work, command)
    overridden = refusals.MAY_BE_OVERRIDDEN if command.override else ()
    results = lend_each(terms, command.barcodes, overridden=overridden)
    results = [
        replace(each, overridden=each.refused.code, refused=None)
        if each.refused and each.loan
        else each
        for each in results
    ]
    if any(each.refused for each in results):
        results = with_ways_out(work, terms, results)
    save_loans(work, terms, results)
    for each in results:
        if command.override and each.overridden and each.loan:
            borrowers_store.add_override(work, each.loan, each.overridden, command.override)
    return results


def with_ways_out(work: Work, terms: LendingTerms, results: Sequence[Lent]) -> list[Lent]:
    """Add to each refused copy the ways out that there are once this check-out is made."""
    lent = [each.loan for each in results if each.loan]
    copies = [each.copy for each in results if each.loan and each.copy]
    ended = list(ended_by(terms.holds, copies, terms.today))
    fees = sum(fee.amount_cents for fee in _fees(ended, lent, terms.on))
    over = {hold.id for hold, _ in ended}
    after = replace(
        terms,
        borrower=terms.borrower.after(loans=len(lent), cents=fees),
        own={**terms.own, **{loan.id: _kind_of(loan) for loan in lent}},
        holds=[hold for hold in terms.holds if hold.id not in over],
    )
    wanted = {each.copy.title_id for each in results if each.refused and each.copy}
    own, free = holds_store.open_loans_and_copies(work, terms.patron.id, wanted, terms.branch.id)
    calendars = {**own.calendars, terms.branch.id: terms.branch}
    own = replace(own, loans=[*own.loans, *lent], calendars=calendars)
    free = [copy for copy in free if not any(loan.copy_id == copy.id for loan in lent)]
    return [
        replace(
            each,
            refused=replace(each.refused, ways_out=ways_to_borrow(after, each.copy, own, free)),
        )
        if each.refused
        else each
        for each in results
    ]


def ways_to_borrow(
    terms: LendingTerms, copy: Copy | None, own: OpenLoans, free: Sequence[Copy]
) -> tuple[refusals.WayOut, ...]:
    """Return the ways out of the refusal to lend a copy; None: the library has no such copy.

    `own` are the patron's open loans, `free` copies of these titles that are free at the branch.
    """
    if copy is None:
        return refusals.ASK_STAFF
    patron = with_valid_card(terms.patron, terms.on)
    loans = own.returnable(terms.today, lambda loan: loan.copy_category == copy.category)
    others = {
        each.category: each
        for each in reversed(free)
        if (each.title_id, each.volume) == (copy.title_id, copy.volume)
    }  # the first of each category

    def candidates() -> Iterator[Candidate]:
        for other in (None, *others.values()):
            category = other.category if other else copy.category
            policy = terms.policies.pick(terms.patron.category, category, terms.branch.kind)
            for returned in returns(loans):
                back = Candidate(returned=returned, barcode=other.barcode if other else None)
                owed = terms.borrower.outstanding_cents + back.owed_cents
                for cents in payments(owed, policy.block_over_cents):
                    yield replace(back, cents=cents)

    def attempt(candidate: Candidate) -> Lent:
        back = {one.loan_id for one in candidate.returned}
        borrower = terms.borrower.after(loans=-len(candidate.returned), cents=candidate.owed_cents)
        changed = replace(
            terms,
            patron=patron,
            borrower=borrower,
            own={key: kind for key, kind in terms.own.items() if key not in back},
            copies={**terms.copies, **{each.barcode: each for each in others.values()}},
        )
        return _lend(changed, candidate.barcode or copy.barcode, (), ())

    any_item = not any(loan.fine_cents for loan in loans)
    return ways_out(
        candidates(),
        attempt,
        terms.today,
        any_item=any_item,
        renews_card=patron is not terms.patron,
    )


def lending_terms(work: Work, command: CheckOut) -> LendingTerms:
    """Return the facts that decide the check-out. Raises the refusals of the whole command."""
    if command.on > command.today:
        raise InTheFuture(on=command.on)
    if command.on < command.today - timedelta(days=OFFLINE_DAYS):
        raise TooLongAgo(on=command.on, days=OFFLINE_DAYS)
    if command.patron is not None:
        borrowers_store.note_patron(work, command.patron)
    facts = facts_store.check_out_facts(work, _reads(command))
    if facts is None:
        raise refusals.NoSuchBranch(branch=command.branch)
    # An event may be newer than the response of accounts: the card may have been replaced.
    patron = facts.patron
    is_theirs = patron and (command.patron_id or patron.card_digest in command.card_digests)
    if patron is None or not is_theirs or facts.borrower.closed:
        raise NoSuchCard().with_ways_out(refusals.ASK_STAFF)
    check_state(patron, command.today, may_be_behind=command.may_be_behind)
    return LendingTerms(
        patron=patron,
        borrower=facts.borrower,
        branch=facts.branch,
        policies=facts.policies,
        copies=facts.copies,
        holds=facts.holds,
        on=command.on,
        today=command.today,
        time=command.time,
        promised=command.promised,
        channel=command.channel,
        own=_own(work, facts, patron),
    )


def _own(
    work: Work, facts: facts_store.CheckOutFacts, patron: Patron
) -> dict[str, tuple[str, str]]:
    """Return the kinds of the patron's open loans, if a row for one of the copies limits them."""
    rows = (
        facts.policies.pick(patron.category, copy.category, facts.branch.kind)
        for copy in facts.copies.values()
    )
    if not any(row.limits_kinds_of_loans for row in rows):
        return {}
    return {loan.id: _kind_of(loan) for loan in store.open_of_patron(work, patron.id)}
