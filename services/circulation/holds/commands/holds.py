"""Change, cancel and end holds."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from services.circulation.borrowers import store as borrowers_store
from services.circulation.borrowers.commands import acting, may_act
from services.circulation.calendars import store as calendars_store
from services.circulation.catalogue import store as catalogue_store
from services.circulation.experience import store as experience_store
from services.circulation.holds import events, store
from services.circulation.holds.commands.queue import hand_out, serve
from services.circulation.holds.refusals import NoSuchHold
from services.circulation.policies import store as policies_store
from services.circulation.refusals import NoSuchBranch, PickupAtOwner
from services.circulation.rules import copy as copy_rules
from services.circulation.rules import hold as hold_rules
from services.circulation.rules.hold import (
    OPEN_STATES,
    Hold,
    HoldState,
    cancel,
    expire,
    is_unwanted,
)
from services.circulation.rules.hold_queue import is_uncollected, move_shelf, policy_at_placing
from shared.unit_of_work import Work


@dataclass(frozen=True)
class QueuedHold:
    """A hold and its position in the queue: 1 is next; None: it no longer waits."""

    hold: Hold
    position: int | None


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
    branch = calendars_store.get(work, command.pickup_branch) if command.pickup_branch else None
    if command.pickup_branch and branch is None:
        raise NoSuchBranch(branch=command.pickup_branch)
    store.take_turn(work, [hold.target.queue_id])
    if branch is not None:
        _check_pickup(work, hold, branch.kind, branch.id)
    steps = [hold, *_changes(hold, command)]
    store.save(work, steps[1:])
    for before, after in pairwise(steps):
        work.record(events.changed(before, after))
    if hold.state is HoldState.READY and steps[-1].state is HoldState.TO_FETCH:
        _set_aside(work, steps[-1])
    served = hand_out(work, [hold.target.queue_id], command.on)
    now = next((s.hold for s in served.values() if s.hold and s.hold.id == hold.id), steps[-1])
    return QueuedHold(now, store.position(work, now))


def _check_pickup(work: Work, hold: Hold, branch_kind: str, branch_code: str) -> None:
    """Raise PickupAtOwner if the row for the branch asks for one that owns a copy."""
    policies = policies_store.matrix(work)
    patron = borrowers_store.get_patron(work, hold.patron_id)
    if patron is None or not any(row.pickup_at_owner for row in policies.rows):
        return
    categories = catalogue_store.categories_of(work, hold.target)
    row = policy_at_placing(patron, categories, branch_kind, policies)
    owners = catalogue_store.owners_of(work, hold.target)
    if row.pickup_at_owner and branch_code not in owners:
        raise PickupAtOwner(branches=", ".join(owners))


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
    experience_store.count_hold(work, hold)
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
