"""Holds of a simulation, by circulation's rules: the queues and their copies."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from ops.simulation.books import Books, OpenHold, utc
from services.circulation.refusals import Refusal
from services.circulation.rules import copy as copy_rules
from services.circulation.rules.copy import Copy, CopyState
from services.circulation.rules.hold import Hold, HoldState, Target, cancel, expire, place
from services.circulation.rules.hold_queue import (
    Waiting,
    allot,
    assign,
    is_uncollected,
    move_shelf,
    nearest,
    policy_at_placing,
)
from services.circulation.rules.patron import is_blocked
from services.circulation.rules.policy import HONG_KONG

FREE = (CopyState.AVAILABLE, CopyState.IN_TRANSIT)


def place_hold(books: Books, patron: int, title: int, branch: str, at: datetime) -> str:
    """Place a hold; return the code of the refusal, or an empty text."""
    person, borrower, on = books.city.patron(patron), books.borrower(patron), at.date()
    category = books.city.category_of(title)
    policy = policy_at_placing(person, {category}, books.calendars[branch].kind, HONG_KONG)
    lent = (books.loans.get(copy) for copy in books.city.copies_of(title))
    try:
        hold = place(
            hold_id=books.identifier(at),
            patron=person,
            target=Target(books.city.title(title).id),
            pickup_branch=branch,
            place=books.placed.get(title, 0) + 1,
            at=utc(at),
            on=on,
            expires_on=None,
            policy=policy,
            blocked=is_blocked(person, borrower.outstanding_cents, policy),
            open_holds=borrower.open_holds,
            holds_title=title in books.holds_of(patron),
            has_title=any(loan.patron == patron for loan in lent if loan),
        )
    except Refusal as refusal:
        return refusal.code
    books.add_hold(OpenHold(hold, patron, title))
    serve(books, title, on)
    return ""


def cancel_hold(books: Books, hold_id: str, on: date) -> None:
    """Cancel a hold at the desk."""
    known = books.holds[hold_id]
    books.count_hold(known.patron, -1)
    release(books, known, cancel(known.hold, on, "staff"), on)


def expire_holds(books: Books, on: date) -> None:
    """End the holds that were not collected in time, and serve those that can be served."""
    for known in list(books.holds.values()):
        calendar = books.calendars[known.hold.pickup_branch].now
        if known.hold.state is HoldState.READY and is_uncollected(known.hold, calendar, on):
            books.count_hold(known.patron, -1)
            release(books, known, expire(known.hold, on), on)
    for title in sorted(books.queues):
        serve(books, title, on)


def move_shelf_days(books: Books, branch: str, on: date) -> None:
    """Move the last days on a branch's hold shelf after its calendar changed."""
    calendar = books.calendars[branch].now
    for known in books.holds.values():
        if known.hold.pickup_branch == branch:
            books.set_hold(known, move_shelf(known.hold, calendar, on), known.copy)


def release(books: Books, known: OpenHold, ended: Hold, on: date) -> None:
    """End a hold; a copy that was set aside, kept or sent for it goes to the next one."""
    books.drop_hold(known, ended)
    if known.copy is None or ended.state is HoldState.COLLECTED:
        return
    freed = copy_rules.hand_on(books.copy(known.copy), None)
    books.set_copy(known.copy, freed)
    serve(books, known.title, on, freed=[known.copy])


def receive(books: Books, number: int, branch: str, on: date) -> None:
    """Record the scan of a copy that was awaited: it is kept or sent for its hold, or free."""
    awaited = books.copy(number)
    arrived = copy_rules.arrive(awaited, branch)
    books.set_copy(number, arrived)
    if known := books.holds.get(awaited.hold_id or ""):
        _allot(books, known, number, arrived, on)


def waiting(books: Books, title: int) -> list[tuple[OpenHold, Waiting]]:
    """Return the holds of a title without a copy, in turn, with what decides about them."""
    queue = (books.holds[hold_id] for hold_id in books.queues.get(title, ()))
    return [
        (
            known,
            Waiting(
                known.hold,
                books.city.patron(known.patron),
                books.borrower(known.patron).outstanding_cents,
                books.calendars[known.hold.pickup_branch].now,
            ),
        )
        for known in queue
        if known.hold.state is HoldState.WAITING
    ]


def serve(
    books: Books,
    title: int,
    on: date,
    *,
    freed: Sequence[int] = (),
    in_hand: Collection[int] = (),
) -> None:
    """Give the free copies of a title to its waiting holds in turn, and send `freed` ones home.

    `in_hand` are copies that were just scanned.
    """
    queue = waiting(books, title)
    free = _free(books, title) if queue else {}
    category = books.city.category_of(title)
    scanned = {books.copy(number).id for number in in_hand}
    for known, facts in queue:
        if not free or not facts.can_be_served(category, HONG_KONG, on):
            continue
        copy = nearest(free.values(), known.hold.pickup_branch, in_hand=scanned)
        if copy is None:
            continue
        number = next(one for one, value in free.items() if value is copy)
        del free[number]
        if number in in_hand:
            _allot(books, known, number, copy, on)
        else:
            hold, assigned = assign(known.hold, copy)
            books.set_copy(number, assigned)
            books.set_hold(known, hold, number)
    for number in freed:
        copy = books.copy(number)
        if copy.state is CopyState.AVAILABLE and copy.at_branch != copy.branch_code:
            books.set_copy(number, copy_rules.send(copy, copy.branch_code))


def _free(books: Books, title: int) -> dict[int, Copy]:
    return {
        number: copy
        for number, copy in books.copies_of(title)
        if copy.state in FREE and copy.hold_id is None
    }


def _allot(books: Books, known: OpenHold, number: int, copy: Copy, on: date) -> None:
    """Give a hold a copy that was just scanned: ready, or sent to the pick-up branch."""
    branch = books.calendars[known.hold.pickup_branch]
    patron = books.city.patron(known.patron)
    policy = HONG_KONG.pick(patron.category, copy.category, branch.kind)
    hold, placed = allot(
        known.hold, copy, on=on, shelf_days=policy.hold_shelf_days, calendar=branch.now
    )
    books.set_copy(number, placed)
    books.set_hold(known, hold, number)
