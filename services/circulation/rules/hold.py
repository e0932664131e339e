"""A hold: a patron waits for a title and collects a copy of it at a branch.

A queue is ordered by `place`. A hold that cannot be served now is passed over and keeps its
place.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Literal

from services.circulation import refusals
from services.circulation.rules.copy import Copy
from services.circulation.rules.patron import Patron, check_card
from services.circulation.rules.policy import Policy

Ending = Literal["patron", "staff", "borrowed", "erased"]
"""Reason for the cancellation of a hold.
`patron` and `staff`: they cancelled it. `borrowed`: its patron borrowed another copy of the
title. `erased`: its patron was erased."""


class HoldState(StrEnum):
    """State of a hold."""

    WAITING = "waiting"
    TO_FETCH = "to-fetch"
    """A copy is set aside on a shelf; staff still have to fetch and scan it."""
    IN_TRANSIT = "in-transit"
    """A copy is on its way to the pick-up branch."""
    READY = "ready"
    """A copy is on the hold shelf of the pick-up branch."""
    COLLECTED = "collected"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class HoldStep(StrEnum):
    """Step that a hold can take."""

    SET_ASIDE = "a copy on a shelf is set aside"
    SEND = "a copy is sent"
    KEEP = "a copy is kept"
    PUT_BACK = "its copy cannot be had"
    AMEND = "amend"
    FREEZE = "freeze"
    MOVE_SHELF = "move its last day on the shelf"
    COLLECT = "collect"
    CANCEL = "cancel"
    EXPIRE = "expire"
    REOPEN = "reopen"


W, F, T, R = HoldState.WAITING, HoldState.TO_FETCH, HoldState.IN_TRANSIT, HoldState.READY


HOLD_LIFE: Mapping[tuple[HoldState, HoldStep], HoldState] = {
    (W, HoldStep.SET_ASIDE): F,
    (R, HoldStep.SET_ASIDE): F,
    **{(state, HoldStep.SEND): T for state in (W, F)},
    **{(state, HoldStep.KEEP): R for state in (W, F, T)},
    **{(state, HoldStep.PUT_BACK): W for state in (F, T, R)},
    **{(state, HoldStep.AMEND): state for state in (W, F, T, R)},
    (W, HoldStep.FREEZE): W,
    (R, HoldStep.MOVE_SHELF): R,
    **{(state, HoldStep.COLLECT): HoldState.COLLECTED for state in (F, T, R)},
    **{(state, HoldStep.CANCEL): HoldState.CANCELLED for state in (W, F, T, R)},
    **{(state, HoldStep.EXPIRE): HoldState.EXPIRED for state in (W, R)},
    **{(state, HoldStep.REOPEN): W for state in (HoldState.COLLECTED, HoldState.CANCELLED)},
}
"""State that each step leads to, by present state and step. Any other step is refused."""


OPEN_STATES = (W, F, T, R)
"""States in which a hold counts towards the patron's limit."""


SERVED_STATES = (F, T, R)
"""States in which a hold has a copy of its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """The copies that a hold is for: those of a title or of one of its volumes, or one copy.

    With `any_edition`, they are those of every title of a work, and `title_id` is one of them.
    """

    title_id: str
    volume: str | None = None
    """None: copies that are no volume. A copy of one volume is never given for the whole title."""
    barcode: str | None = None
    """Barcode of the only copy that the hold is for; None: any."""
    work_id: str | None = None
    """Work of the title; the editions of a work share one queue."""
    any_edition: bool = False

    @property
    def queue_id(self) -> str:
        """Id of the queue: that of the work, else that of the title."""
        return self.work_id or self.title_id

    @property
    def pool(self) -> tuple[str, str | None, str | None]:
        """A key that is the same for all targets that the same copies suit."""
        return (self.queue_id if self.any_edition else self.title_id, self.volume, self.barcode)

    def suits(self, copy: Copy) -> bool:
        """Return whether a copy may be given to a hold with this target."""
        return (
            (self.work_id == copy.work_id if self.any_edition else self.title_id == copy.title_id)
            and self.volume == copy.volume
            and self.barcode in (None, copy.barcode)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """One patron's place in the queue of a title, or in that of a work."""

    id: str
    patron_id: str
    title_id: str
    """With `any_edition`: the edition of its copy or, until it has one, one of the work."""
    pickup_branch: str
    place: int
    """Ordinal among all holds ever placed in the queue; the lowest is served first."""
    placed_at: datetime
    """Business time, UTC."""
    expires_on: date | None = None
    """Last day on which the patron wants the hold while it waits; None: no last day."""
    frozen: bool = False
    frozen_until: date | None = None
    """First day on which a frozen hold may be served again; None: no day is set."""
    state: HoldState = HoldState.WAITING
    copy_id: str | None = None
    """Id of the copy that is to be fetched, in transit or ready, or that was collected."""
    ready_on: date | None = None
    shelf_days: int = 0
    """Open days of the pick-up branch for which the copy is kept after `ready_on`."""
    shelf_until: date | None = None
    """Last day on the shelf as last published; None: not ready, or no end is announced.
    `hold_queue.shelf_end` decides whether that day has passed."""
    ended_on: date | None = None
    ended_by: Ending | None = None
    version: int = 1
    volume: str | None = None
    barcode: str | None = None
    work_id: str | None = None
    any_edition: bool = False

    @property
    def target(self) -> Target:
        """The copies that the hold is for."""
        return Target(self.title_id, self.volume, self.barcode, self.work_id, self.any_edition)

    @property
    def is_open(self) -> bool:
        """True if the hold is not collected, cancelled or expired."""
        return self.state in OPEN_STATES

    def is_frozen(self, on: date) -> bool:
        """Return whether the hold is frozen on `on`."""
        return self.frozen and (self.frozen_until is None or on < self.frozen_until)


@dataclass(frozen=True, slots=True)
class HoldFacts:
    """Facts that only terms that few rows set depend on."""

    placed_in_day: int = 0
    """Holds that the patron placed within 24 hours."""
    of_title: int = 0
    """The patron's open holds on the title and its volumes."""
    available: bool = False
    """True if a copy that suits the hold is available."""
    owners: tuple[str, ...] = ()
    """Codes of the branches that own a copy that suits the hold, in order."""


def check_terms(policy: Policy, facts: HoldFacts, pickup_branch: str) -> None:
    """Raise HoldLimit, AvailableNow or PickupAtOwner if the row's further terms refuse a hold."""
    for count, most, where in (
        (facts.placed_in_day, policy.max_holds_per_day, "a day"),
        (facts.of_title, policy.max_holds_of_title, "of one title"),
    ):
        if most is not None and count >= most:
            raise refusals.HoldLimit(limit=f"{most} {where}")
    if policy.hold_only_if_out and facts.available:
        raise refusals.AvailableNow
    if policy.pickup_at_owner and pickup_branch not in facts.owners:
        raise refusals.PickupAtOwner(branches=", ".join(facts.owners))


def place(
    *,
    hold_id: str,
    patron: Patron,
    target: Target,
    pickup_branch: str,
    place: int,
    at: datetime,
    on: date,
    expires_on: date | None,
    policy: Policy,
    blocked: bool,
    open_holds: int,
    holds_title: bool,
    has_title: bool,
    facts: HoldFacts | None = None,
) -> Hold:
    """Return a new hold at the end of the queue.

    `facts` decide the terms that few rows set; None: they are not asked.

    A title with a free copy may be held too; the copy is then set aside at once.

    Raises CardExpired, PatronBlocked, HoldExists, TitleOnLoan, OnSiteOnly, HoldLimit,
    AvailableNow, PickupAtOwner or EndsBeforeToday.
    """
    check_card(patron.card_expires_on, on)
    if blocked:
        raise refusals.PatronBlocked
    if holds_title:
        raise refusals.HoldExists
    if has_title:
        raise refusals.TitleOnLoan
    if not policy.lendable:
        raise refusals.OnSiteOnly
    if open_holds >= policy.max_holds:
        raise refusals.HoldLimit(limit=policy.max_holds)
    if facts is not None:
        check_terms(policy, facts, pickup_branch)
    last = _not_past(expires_on, on)
    if policy.hold_waits_days is not None:
        waits_to = on + timedelta(days=policy.hold_waits_days)
        last = min(last or waits_to, waits_to)
    return Hold(
        id=hold_id,
        patron_id=patron.id,
        pickup_branch=pickup_branch,
        place=place,
        placed_at=at,
        expires_on=last,
        **asdict(target),
    )


def dearest_last(holds: Iterable[Hold]) -> list[Hold]:
    """Return the holds in the order in which their patron misses them least.

    Those that wait come first, and of these the last placed.
    """
    by_date = sorted(holds, key=lambda hold: (hold.placed_at, hold.id), reverse=True)
    return sorted(by_date, key=lambda hold: hold.state is not HoldState.WAITING)


def is_unwanted(hold: Hold, on: date) -> bool:
    """Return whether a waiting hold is past the last day that its patron chose."""
    return hold.state is HoldState.WAITING and hold.expires_on is not None and on > hold.expires_on


def put_back(hold: Hold) -> Hold:
    """Make the hold wait again at its place, because its copy is lost, damaged or withdrawn."""
    return replace(
        hold,
        state=next_state(hold, HoldStep.PUT_BACK),
        copy_id=None,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def move_queue(hold: Hold, work_id: str | None, place: int) -> Hold:
    """Give the hold a place in the queue of its title's new work, or of its title."""
    state = next_state(hold, HoldStep.AMEND)
    return replace(hold, state=state, work_id=work_id, place=place, version=hold.version + 1)


def redirect(hold: Hold, pickup_branch: str) -> Hold:
    """Set another pick-up branch. Raises HoldEnded.

    A copy that is ready lies on the hold shelf of the former branch; staff fetch it from there.
    """
    if hold.state is HoldState.READY:
        moved = await_copy(hold, hold.copy_id, HoldStep.SET_ASIDE)
        return replace(moved, pickup_branch=pickup_branch)
    state = next_state(hold, HoldStep.AMEND)
    return replace(hold, state=state, pickup_branch=pickup_branch, version=hold.version + 1)


def choose_expiry(hold: Hold, expires_on: date | None, on: date) -> Hold:
    """Set the last day on which a waiting hold is wanted.

    Raises HoldEnded, HoldNotWaiting or EndsBeforeToday.
    """
    state = next_state(hold, HoldStep.FREEZE)
    return replace(
        hold, state=state, expires_on=_not_past(expires_on, on), version=hold.version + 1
    )


def freeze(hold: Hold, frozen: bool, until: date | None, on: date) -> Hold:
    """Freeze a waiting hold until a day or without an end, or unfreeze it. It keeps its place.

    Raises HoldEnded; HoldNotWaiting if the hold has a copy already; or EndsBeforeToday.
    """
    state = next_state(hold, HoldStep.FREEZE)
    return replace(
        hold,
        state=state,
        frozen=frozen,
        frozen_until=_not_past(until, on) if frozen else None,
        version=hold.version + 1,
    )


def collect(hold: Hold, on: date) -> Hold:
    """End the hold as collected: its copy was lent to its patron."""
    state = next_state(hold, HoldStep.COLLECT)
    return replace(hold, state=state, ended_on=on, version=hold.version + 1)


def reopen(hold: Hold, at_branch: str | None) -> Hold:
    """Undo the end of a hold by a check-out: it is ready again if its copy is at `at_branch`.

    Otherwise it waits again, at its place. Raises HoldNotWaiting.
    """
    state = next_state(hold, HoldStep.REOPEN)
    if hold.copy_id and hold.ready_on and at_branch == hold.pickup_branch:
        ready = HoldState.READY
        return replace(hold, state=ready, ended_on=None, version=hold.version + 1)
    return replace(
        hold,
        state=state,
        copy_id=None,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        ended_on=None,
        ended_by=None,
        version=hold.version + 1,
    )


def cancel(hold: Hold, on: date, by: Ending) -> Hold:
    """End the hold as cancelled. Raises HoldEnded."""
    state = next_state(hold, HoldStep.CANCEL)
    return _ended(replace(hold, state=state, ended_by=by), on)


def expire(hold: Hold, on: date) -> Hold:
    """End the hold as expired: it was not served by the day chosen, or not collected in time."""
    return _ended(replace(hold, state=next_state(hold, HoldStep.EXPIRE)), on)


def _ended(hold: Hold, on: date) -> Hold:
    return replace(hold, copy_id=None, ended_on=on, version=hold.version + 1)


def await_copy(hold: Hold, copy_id: str | None, step: HoldStep) -> Hold:
    """Return the hold with a copy that cannot be collected yet."""
    return replace(
        hold,
        state=next_state(hold, step),
        frozen=False,
        frozen_until=None,
        copy_id=copy_id,
        ready_on=None,
        shelf_days=0,
        shelf_until=None,
        version=hold.version + 1,
    )


def _not_past(day: date | None, on: date) -> date | None:
    if day is not None and day < on:
        raise refusals.EndsBeforeToday(on=day)
    return day


def next_state(hold: Hold, step: HoldStep) -> HoldState:
    """Return the state that a step leads to. Raises HoldEnded or HoldNotWaiting."""
    if (state := HOLD_LIFE.get((hold.state, step))) is not None:
        return state
    raise refusals.HoldNotWaiting if hold.is_open else refusals.HoldEnded
