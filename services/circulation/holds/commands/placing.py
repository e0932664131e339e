"""Place a hold, or say what it would do."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import product

from services.circulation import refusals
from services.circulation.borrowers import store as borrowers_store
from services.circulation.borrowers.commands import acting, may_act
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.holds import events, store
from services.circulation.holds.commands.holds import QueuedHold
from services.circulation.holds.commands.queue import hand_out
from services.circulation.holds.refusals import NoSuchPatron, NoSuchVolume, NoSuchWork, WhichVolume
from services.circulation.policies import store as policies_store
from services.circulation.rules import hold as hold_rules
from services.circulation.rules.copy import OUT_STATES
from services.circulation.rules.hold import (
    Hold,
    HoldFacts,
    Target,
    dearest_last,
)
from services.circulation.rules.hold_queue import policy_at_placing
from services.circulation.rules.override import Reason
from services.circulation.rules.patron import (
    Borrower,
    Patron,
    check_state,
    is_blocked,
    with_valid_card,
)
from services.circulation.rules.policy import Policy, PolicyMatrix
from services.circulation.rules.ways_out import Candidate, OpenLoans, payments, ways_out
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PlaceHold:
    """Command to place a hold for a patron; `expires_on` is the last day on which it is wanted."""

    patron_id: str
    pickup_branch: str
    expires_on: date | None
    on: date
    title_id: str | None = None
    """Title to reserve, with `volume` one of its volumes; None: that of the copy or of the work."""
    volume: str | None = None
    barcode: str | None = None
    """Barcode of the only copy that is wanted."""
    work_id: str | None = None
    """Work of which any edition is wanted."""
    asking: str | None = None
    """Id of the patron who asks, the same or one with a linked card; None: staff."""
    patron: Patron | None = None
    """Answer of accounts about a patron that circulation does not know."""
    override: Reason | None = None
    """Why staff reserve despite the refusals that may be overridden; None: they don't."""
    may_be_behind: bool = False
    """True: PatronInDoubt is raised where only the patron's state refuses."""


@dataclass(frozen=True)
class PlacingTerms:
    """Facts that decide whether a hold may be placed."""

    command: PlaceHold
    target: Target
    place: int
    at: datetime
    patron: Patron
    borrower: Borrower
    branch_kind: str
    """Kind of the pick-up branch."""
    categories: frozenset[str]
    """Categories of the title's copies."""
    policies: PolicyMatrix
    holds_title: bool
    on_loan: frozenset[str]
    """Barcodes of the copies that suit the target and that the patron has on loan."""
    facts: HoldFacts | None = None
    """Facts for further terms; None: no row has such terms."""

    @property
    def policy(self) -> Policy:
        """Policy row that sets the limits."""
        return policy_at_placing(self.patron, self.categories, self.branch_kind, self.policies)


def place_hold(work: Work, command: PlaceHold) -> QueuedHold:
    """Place the hold; a copy that is free is set aside for it at once, for staff to fetch.

    Raises NoSuchPatron, NoSuchBranch, or a refusal of `_target` or `hold.place`.
    """
    if not may_act(work, command.asking, command.patron_id):
        raise NoSuchPatron
    target = _target(work, command)
    # Early, because two patrons at once conflict here; the later one then loses little work.
    place = store.take_place(work, target.queue_id)
    branch = calendars_store.get(work, command.pickup_branch)
    if branch is None:
        raise refusals.NoSuchBranch(branch=command.pickup_branch)
    patron = _patron(work, command)
    borrower = borrowers_store.borrower(work, patron.id)
    if borrower.closed:
        raise NoSuchPatron
    check_state(patron, command.on, may_be_behind=command.may_be_behind)
    terms = PlacingTerms(
        command=command,
        target=target,
        place=place,
        at=work.now,
        patron=patron,
        borrower=borrower,
        branch_kind=branch.kind,
        categories=frozenset(catalogue_store.categories_of(work, target)),
        policies=policies_store.matrix(work),
        holds_title=store.is_held(work, patron.id, target),
        on_loan=store.on_loan(work, patron.id, target),
    )
    if any(row.limits_holds for row in terms.policies.rows):
        terms = replace(terms, facts=_facts(work, patron.id, target))
    hold, overridden = _decide(work, terms)
    borrowers_store.save_borrower(work, borrower.after(holds=1))
    store.add(work, hold)
    work.record(events.placed(hold, acting(command.asking, patron.id), overridden))
    served = hand_out(work, [target.queue_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), hold)
    return QueuedHold(now, store.position(work, now))


def _facts(work: Work, patron_id: str, target: Target) -> HoldFacts:
    """Return the facts of terms that few rows set. The patron's counts are written later."""
    return HoldFacts(
        placed_in_day=store.placed_since(work, patron_id, work.now - timedelta(days=1)),
        of_title=store.open_on_title(work, patron_id, target),
        available=catalogue_store.is_available(work, target),
        owners=catalogue_store.owners_of(work, target),
    )


@dataclass(frozen=True)
class HoldEffect:
    """Effect of a hold that was not placed."""

    queued: QueuedHold
    fee_cents: int
    """Fee when the copy is collected."""
    open_holds: int
    """The patron's open holds, with this one."""
    max_holds: int


def preview_hold(work: Work, command: PlaceHold) -> HoldEffect:
    """Place the hold and return its effect, for a transaction that is rolled back.

    Raises the refusals of `place_hold`.
    """
    queued = place_hold(work, command)
    patron = _patron(work, command)
    branch = calendars_store.get(work, command.pickup_branch)
    categories = catalogue_store.categories_of(work, queued.hold.target)
    policy = policy_at_placing(
        patron, categories, branch.kind if branch else "", policies_store.matrix(work)
    )
    open_holds = borrowers_store.borrower(work, patron.id).open_holds
    return HoldEffect(queued, policy.hold_fee_cents, open_holds, policy.max_holds)


def new_hold(terms: PlacingTerms, *, unlimited: bool = False) -> Hold:
    """Return the new hold. Raises the refusals of `hold.place`.

    `unlimited`: staff override the limit, an expired card and what blocks the patron.
    """
    command, policy = terms.command, terms.policy
    patron = replace(terms.patron, card_expires_on=None) if unlimited else terms.patron
    return hold_rules.place(
        hold_id=new_id(),
        patron=patron,
        target=terms.target,
        pickup_branch=command.pickup_branch,
        place=terms.place,
        at=terms.at,
        on=command.on,
        expires_on=command.expires_on,
        policy=policy,
        blocked=not unlimited and is_blocked(patron, terms.borrower.outstanding_cents, policy),
        open_holds=-1 if unlimited else terms.borrower.open_holds,
        holds_title=terms.holds_title,
        has_title=bool(terms.on_loan),
        facts=None if unlimited else terms.facts,
    )


def _decide(work: Work, terms: PlacingTerms) -> tuple[Hold, str | None]:
    """Return the new hold, and the code of the refusal that staff overrode, if any."""
    try:
        return new_hold(terms), None
    except (refusals.HoldExists, refusals.EndsBeforeToday):
        raise  # nothing is in the way
    except refusals.Refusal as refusal:
        reason = terms.command.override
        if reason is None or not isinstance(refusal, refusals.MAY_BE_OVERRIDDEN):
            raise refusal.with_ways_out(_ways_out(work, terms)) from None
        hold = new_hold(terms, unlimited=True)
        borrowers_store.add_override(work, hold, refusal.code, reason)
        return hold, refusal.code


def _ways_out(work: Work, terms: PlacingTerms) -> tuple[refusals.WayOut, ...]:
    own = store.open_loans(work, terms.patron.id)
    holds = store.open_of_patron(work, terms.patron.id)
    by_kind = any(row.branch_kind for row in terms.policies.rows)
    branches = calendars_store.first_of_kinds(work) if by_kind else {}
    return ways_to_reserve(terms, own, holds, branches)


def ways_to_reserve(
    terms: PlacingTerms, own: OpenLoans, holds: Iterable[Hold], branches: Mapping[str, str]
) -> tuple[refusals.WayOut, ...]:
    """Return the ways out of a refused hold: cancel others, return the title, pay, collect it
    elsewhere.

    `own` and `holds` are the patron's open loans and holds, `branches` a branch of each kind.
    """
    on = terms.command.on
    of_title = replace(own, loans=[loan for loan in own.loans if loan.barcode in terms.on_loan])
    back = tuple(of_title.returnable(on, lambda _: True))
    hold_ids = tuple(hold.id for hold in dearest_last(holds))
    kinds: dict[str | None, str] = {None: terms.branch_kind}
    kinds |= {branches[kind]: kind for kind in branches if kind != terms.branch_kind}

    patron = with_valid_card(terms.patron, on)

    def changed(candidate: Candidate) -> PlacingTerms:
        cancelled = len(candidate.hold_ids)
        return replace(
            terms,
            patron=patron,
            branch_kind=kinds[candidate.branch],
            on_loan=frozenset() if candidate.returned else terms.on_loan,
            borrower=terms.borrower.after(holds=-cancelled, cents=candidate.owed_cents),
        )

    def candidates() -> Iterator[Candidate]:
        for branch, returned, count in product(kinds, {(), back}, range(len(hold_ids) + 1)):
            free = Candidate(branch=branch, returned=returned, hold_ids=hold_ids[:count])
            then = changed(free)
            for cents in payments(then.borrower.outstanding_cents, then.policy.block_over_cents):
                yield replace(free, cents=cents)

    renews_card = patron is not terms.patron
    return ways_out(
        candidates(), lambda candidate: new_hold(changed(candidate)), on, renews_card=renews_card
    )


def _target(work: Work, command: PlaceHold) -> Target:
    """Return the copies that are wanted.

    Raises NoSuchTitle, NoSuchVolume or WhichVolume; NoSuchCopy, or NotInThisState if the copy is
    not lent any more; or NoSuchWork.
    """
    if command.barcode:
        copy = catalogue_store.copies_with(work, [command.barcode]).get(command.barcode)
        if copy is None:
            raise refusals.NoSuchCopy(barcode=command.barcode)
        if copy.state in OUT_STATES:
            raise refusals.NotInThisState(state=copy.state.value)
        return Target(copy.title_id, copy.volume, copy.barcode, copy.work_id)
    if command.work_id:
        title = or_refuse(catalogue_store.first_edition(work, command.work_id), NoSuchWork)
    else:
        title = or_refuse(catalogue_store.get(work, command.title_id or ""), refusals.NoSuchTitle)
    target = Target(title.id, command.volume, None, title.work_id, bool(command.work_id))
    if not catalogue_store.has_copy(work, target):
        volumes = catalogue_store.volumes_of(work, target)
        if target.volume is not None:
            raise NoSuchVolume(volume=target.volume, volumes=volumes)
        if volumes:
            raise WhichVolume(volumes=volumes)
    return target


def _patron(work: Work, command: PlaceHold) -> Patron:
    if command.patron is not None:
        borrowers_store.note_patron(work, command.patron)
    return or_refuse(borrowers_store.get_patron(work, command.patron_id), NoSuchPatron)
