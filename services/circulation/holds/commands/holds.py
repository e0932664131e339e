"""Place, change, cancel and end holds."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise, product

from services.circulation.borrowers import store as borrowers_store
from services.circulation.borrowers.commands import acting, may_act
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.holds import events, store
from services.circulation.holds.commands.queue import hand_out, serve
from services.circulation.policies import store as policies_store
from services.circulation.refusals import (
    EndsBeforeToday,
    HoldExists,
    NoSuchBranch,
    NoSuchCopy,
    NoSuchHold,
    NoSuchPatron,
    NoSuchTitle,
    NoSuchVolume,
    NoSuchWork,
    NotInThisState,
    Refusal,
    WayOut,
    WhichVolume,
)
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import hold as hold_rules
from services.circulation.rules.copy import OUT_STATES
from services.circulation.rules.hold import (
    OPEN_STATES,
    Hold,
    HoldState,
    Target,
    cancel,
    dearest_last,
    expire,
    is_unwanted,
)
from services.circulation.rules.hold_queue import is_uncollected, move_shelf, policy_at_placing
from services.circulation.rules.patron import Borrower, Patron, is_blocked
from services.circulation.rules.policy import Policy, PolicyMatrix
from services.circulation.rules.ways_out import Candidate, OpenLoans, payments, ways_out
from shared.ids import new_id
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


@dataclass(frozen=True)
class QueuedHold:
    """A hold and its position in the queue: 1 is next; None: it no longer waits."""

    hold: Hold
    position: int | None


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
        raise NoSuchBranch(branch=command.pickup_branch)
    patron = _patron(work, command)
    borrower = borrowers_store.borrower(work, patron.id)
    if borrower.closed:
        raise NoSuchPatron
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
    try:
        hold = new_hold(terms)
    except (HoldExists, EndsBeforeToday):
        raise  # nothing is in the way
    except Refusal as refusal:
        raise refusal.with_ways_out(_ways_out(work, terms)) from None
    borrowers_store.save_borrower(work, borrower.after(holds=1))
    store.add(work, hold)
    work.record(events.placed(hold, acting(command.asking, patron.id)))
    served = hand_out(work, [target.queue_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), hold)
    return QueuedHold(now, store.position(work, now))


def new_hold(terms: PlacingTerms) -> Hold:
    """Return the new hold. Raises the refusals of `hold.place`."""
    command, policy = terms.command, terms.policy
    return hold_rules.place(
        hold_id=new_id(),
        patron=terms.patron,
        target=terms.target,
        pickup_branch=command.pickup_branch,
        place=terms.place,
        at=terms.at,
        on=command.on,
        expires_on=command.expires_on,
        policy=policy,
        blocked=is_blocked(terms.patron, terms.borrower.outstanding_cents, policy),
        open_holds=terms.borrower.open_holds,
        holds_title=terms.holds_title,
        has_title=bool(terms.on_loan),
    )


def _ways_out(work: Work, terms: PlacingTerms) -> tuple[WayOut, ...]:
    own = store.open_loans(work, terms.patron.id)
    holds = store.open_of_patron(work, terms.patron.id)
    by_kind = any(row.branch_kind for row in terms.policies.rows)
    branches = calendars_store.first_of_kinds(work) if by_kind else {}
    return ways_to_reserve(terms, own, holds, branches)


def ways_to_reserve(
    terms: PlacingTerms, own: OpenLoans, holds: Iterable[Hold], branches: Mapping[str, str]
) -> tuple[WayOut, ...]:
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

    def changed(candidate: Candidate) -> PlacingTerms:
        cancelled = len(candidate.hold_ids)
        return replace(
            terms,
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

    return ways_out(candidates(), lambda candidate: new_hold(changed(candidate)), on)


def _target(work: Work, command: PlaceHold) -> Target:
    """Return the copies that are wanted.

    Raises NoSuchTitle, NoSuchVolume or WhichVolume; NoSuchCopy, or NotInThisState if the copy is
    not lent any more; or NoSuchWork.
    """
    if command.barcode:
        copy = catalogue_store.copies_with(work, [command.barcode]).get(command.barcode)
        if copy is None:
            raise NoSuchCopy(barcode=command.barcode)
        if copy.state in OUT_STATES:
            raise NotInThisState(state=copy.state.value)
        return Target(copy.title_id, copy.volume, copy.barcode, copy.work_id)
    if command.work_id:
        title = catalogue_store.first_edition(work, command.work_id)
        if title is None:
            raise NoSuchWork
    else:
        title = catalogue_store.get(work, command.title_id or "")
        if title is None:
            raise NoSuchTitle
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
    patron = borrowers_store.get_patron(work, command.patron_id)
    if patron is None:
        raise NoSuchPatron
    return patron


@dataclass(frozen=True)
class AmendHold:
    """Command to change a hold. `patron_id` is the patron who asks; None: staff."""

    hold_id: str
    patron_id: str | None
    on: date
    pickup_branch: str | None = None
    """New pick-up branch; None leaves it unchanged."""
    sets_expiry: bool = False
    """True if `expires_on` replaces the last day."""
    expires_on: date | None = None
    frozen: bool | None = None
    """True freezes the hold, False unfreezes it; None leaves it unchanged."""
    frozen_until: date | None = None


def amend_hold(work: Work, command: AmendHold) -> QueuedHold:
    """Apply all changes to the hold, or none; a copy that is ready elsewhere is to be fetched.

    Raises NoSuchHold (also for another patron's hold), NoSuchBranch, or the refusal of a change.
    """
    hold = store.get(work, command.hold_id)
    if hold is None or command.patron_id not in (None, hold.patron_id):
        raise NoSuchHold
    if command.pickup_branch and not calendars_store.get(work, command.pickup_branch):
        raise NoSuchBranch(branch=command.pickup_branch)
    store.take_turn(work, [hold.target.queue_id])
    steps = [hold, *_changes(hold, command)]
    store.save(work, steps[1:])
    for before, after in pairwise(steps):
        work.record(events.changed(before, after))
    if hold.state is HoldState.READY and steps[-1].state is HoldState.TO_FETCH:
        _set_aside(work, steps[-1])
    served = hand_out(work, [hold.target.queue_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), steps[-1])
    return QueuedHold(now, store.position(work, now))


def _changes(hold: Hold, command: AmendHold) -> Iterator[Hold]:
    if command.pickup_branch not in (None, hold.pickup_branch):
        yield (hold := hold_rules.redirect(hold, str(command.pickup_branch)))
    if command.sets_expiry:
        yield (hold := hold_rules.choose_expiry(hold, command.expires_on, command.on))
    if command.frozen is not None:
        yield hold_rules.freeze(hold, command.frozen, command.frozen_until, command.on)


def _set_aside(work: Work, hold: Hold) -> None:
    for copy in catalogue_store.some_copies(work, [hold.copy_id or ""]).values():
        free = copy_rules.hand_on(copy, None)
        catalogue_store.save_copies(work, [free, copy_rules.set_aside(free, hold.id)])


def cancel_hold(work: Work, hold_id: str, patron_id: str | None, on: date) -> Hold:
    """Cancel the hold. `patron_id` is the patron who asks; None: staff.

    A patron may cancel the holds of those whose cards are linked with theirs. Raises NoSuchHold,
    also for another patron's hold, or HoldEnded.
    """
    hold = store.get(work, hold_id)
    if hold is None or not may_act(work, patron_id, hold.patron_id):
        raise NoSuchHold
    ended = cancel(hold, on, "staff" if patron_id is None else "patron")
    end(work, hold, ended, acting(patron_id, hold.patron_id))
    return ended


def cancel_holds(work: Work, patron_id: str, on: date) -> int:
    """Cancel the open holds of a patron who was erased; return how many there were."""
    holds = store.open_of_patron(work, patron_id)
    for hold in holds:
        end(work, hold, cancel(hold, on, "erased"))
    return len(holds)


def expire_hold(work: Work, hold_id: str, on: date) -> bool:
    """Expire the hold if its time is over; return whether it was.

    If a closure has moved its last day on the shelf meanwhile, publishes the new day instead.
    """
    hold = store.get(work, hold_id)
    if hold is None or not hold.is_open:
        return False
    branch = calendars_store.get(work, hold.pickup_branch)
    if branch is None:
        return False
    if is_unwanted(hold, on) or is_uncollected(hold, branch.now, on):
        end(work, hold, expire(hold, on))
        return True
    moved = move_shelf(hold, branch.now, on)
    if moved is not hold:
        store.save(work, [moved])
        work.record(events.changed(hold, moved))
    return False


def purge_hold(work: Work, hold_id: str) -> bool:
    """Delete the hold if it has ended; return whether it was deleted.

    The fee for collecting it stays, without a title. Of two calls at the same time, one returns
    True.
    """
    hold = store.get(work, hold_id)
    if hold is None or hold.state in OPEN_STATES:
        return False
    store.purge(work, hold)
    return True


def end(work: Work, hold: Hold, ended: Hold, acting: str | None = None) -> None:
    """Save a hold that has ended and update its patron's counts; its copy goes to the next hold.

    `acting` is the linked patron who ended it, if one did.
    """
    borrower = borrowers_store.borrower(work, hold.patron_id)
    borrowers_store.save_borrower(work, borrower.after(holds=-1))
    release_hold(work, hold, ended, acting)


def release_hold(work: Work, hold: Hold, ended: Hold, acting: str | None = None) -> None:
    """End a hold like `end`, except that the caller updates the patron's counts."""
    store.save(work, [ended])
    work.record(events.changed(hold, ended, acting))
    if hold.copy_id is None or ended.ended_on is None or ended.state is HoldState.COLLECTED:
        return
    kept = catalogue_store.some_copies(work, [hold.copy_id])[hold.copy_id]
    freed = copy_rules.hand_on(kept, None)
    catalogue_store.save_copies(work, [freed])
    serve(work, [hold.target.queue_id], ended.ended_on, freed=[freed])
