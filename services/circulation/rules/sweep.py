"""A sweep: a branch's announcement is applied to its queues, its hold shelf and its loans."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.calendar import DAY, NO_END, last_before
from services.circulation.rules.fines import Disposition, Span, Statement

HOLD = timedelta(seconds=10)
"""Length of a worker's lease on a chunk."""

SETTLE = timedelta(seconds=90)
"""Time after its first pass at which a sweep looks once more.
Every transaction that began before the pass ended, with the previous calendar, has ended by
then: the server ends a transaction after 60 s at the latest."""


class SweepState(StrEnum):
    """State of a sweep."""

    MOVING = "moving"
    SETTLING = "settling"
    """All that was found has moved; loans made or renewed meanwhile are still to be looked for."""
    DONE = "done"


class Stage(StrEnum):
    """Stage of a sweep, in this order: patrons who wait for a copy come first."""

    QUEUES = "queues"
    """Waiting holds with this pick-up branch: some may be served now."""
    SHELF = "shelf"
    """Ready holds at the branch: the last day to collect them moves."""
    LOANS = "loans"
    """Open loans of the branch: their due dates move."""


@dataclass(frozen=True, slots=True)
class Position:
    """Position of a sweep: a hold or a loan."""

    stage: Stage
    id: str
    span: int = 0
    """For a loan: index of its span among the calendar's movable spans."""
    due_on: date | None = None
    """For a loan: its due date."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Holds or loans that one worker leases until an instant of the wall clock."""

    number: int
    stage: Stage
    ids: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class Trigger:
    """The event that started the sweep; the sweep's own events name it."""

    at: datetime
    """Business time."""
    correlation_id: str
    causation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """Work to do for one branch, and its progress."""

    id: str
    """Code of the branch."""
    calendar_version: int
    """Version of the branch up to which announcements are to be applied."""
    since: int
    """Version of the branch up to which announcements have been applied to all its loans."""
    cause: Trigger
    state: SweepState = SweepState.MOVING
    total: int | None = None
    """Number of holds and loans that may have to move; None: not counted yet."""
    done: int = 0
    """Number of holds and loans in finished chunks."""
    place: Position | None = None
    """Last position that a worker took; None: none yet."""
    in_hand: tuple[Chunk, ...] = ()
    taken: int = 0
    """Number of chunks that workers have taken."""
    settled_after: datetime | None = None
    """Instant from which the sweep looks once more."""
    version: int = 1


def begin(before: Sweep | None, branch_code: str, calendar_version: int, cause: Trigger) -> Sweep:
    """Return the sweep for a newer version of a branch's calendar.

    A sweep that is under way starts again; it finds nothing to do for loans that it has moved.
    """
    if before is None:
        return Sweep(id=branch_code, calendar_version=calendar_version, since=0, cause=cause)
    return Sweep(
        id=branch_code,
        calendar_version=calendar_version,
        since=before.since,
        cause=cause,
        taken=before.taken,
        version=before.version + 1,
    )


def abandoned(sweep: Sweep, at: datetime) -> Chunk | None:
    """Return a chunk whose lease has run out; None if there is none."""
    return next((chunk for chunk in sweep.in_hand if chunk.until <= at), None)


def stages_left(sweep: Sweep) -> tuple[Stage, ...]:
    """Return the stage that a sweep has reached, and those after it."""
    stages = tuple(Stage)
    return stages if sweep.place is None else stages[stages.index(sweep.place.stage) :]


def take(sweep: Sweep, places: tuple[Position, ...], total: int, at: datetime) -> Sweep:
    """Lease what is at `places`, all of one stage, to a worker, as the last chunk of `in_hand`."""
    stage, ids = places[0].stage, tuple(place.id for place in places)
    chunk = Chunk(sweep.taken + 1, stage, ids, at + HOLD)
    return replace(
        sweep,
        total=total,
        place=places[-1],
        in_hand=(*sweep.in_hand, chunk),
        taken=chunk.number,
        version=sweep.version + 1,
    )


def take_again(sweep: Sweep, chunk: Chunk, at: datetime) -> Sweep:
    """Lease an abandoned chunk to another worker, as the last chunk of `in_hand`."""
    others = tuple(other for other in sweep.in_hand if other is not chunk)
    again = replace(chunk, until=at + HOLD)
    return replace(sweep, in_hand=(*others, again), version=sweep.version + 1)


def finish(sweep: Sweep, number: int) -> Sweep:
    """Remove a chunk that has moved; return the same sweep if another worker finished it."""
    left = tuple(chunk for chunk in sweep.in_hand if chunk.number != number)
    finished = sum(len(chunk.ids) for chunk in sweep.in_hand if chunk.number == number)
    if not finished:
        return sweep
    return replace(sweep, in_hand=left, done=sweep.done + finished, version=sweep.version + 1)


def come_to_an_end(sweep: Sweep, at: datetime) -> Sweep:
    """Advance the state of a sweep with nothing left to take; unchanged while a chunk is leased.

    MOVING becomes SETTLING. SETTLING becomes DONE once `settled_after` has passed.
    """
    if sweep.in_hand:
        return sweep
    ended = replace(sweep, place=None, total=sweep.done, version=sweep.version + 1)
    if sweep.state is SweepState.MOVING:
        return replace(ended, state=SweepState.SETTLING, settled_after=at + SETTLE)
    if sweep.settled_after is not None and at < sweep.settled_after:
        return ended if sweep.place is not None else sweep
    return replace(ended, state=SweepState.DONE, since=sweep.calendar_version)


def one_version_after(sweep: Sweep, before: Sweep) -> Sweep:
    """Count the steps from `before` to `sweep` as one version."""
    return replace(sweep, version=before.version + 1)


@dataclass(frozen=True, slots=True)
class Rework:
    """A recalculation of the fines assessed before a calendar or suspension changed."""

    id: str
    """Id of what changed: `suspension/<id>` or `branch/<code>`."""
    version: int
    """Version of the calendar or suspension that the fines are to be worked out for."""
    done: int
    """Version that the first pass has worked out the fines for."""
    settled: int
    """Version that the second pass has worked out the fines for.
    The second pass begins when every transaction from before the change has ended."""

    @property
    def subject(self) -> tuple[str, str]:
        """Kind and id of what changed."""
        kind, _, which = self.id.partition("/")
        return kind, which


def branch_rework_id(branch_code: str) -> str:
    """Return the id of the rework for a branch's calendar."""
    return f"branch/{branch_code}"


def lowered_by(before: Statement, after: Statement, branch_code: str, rework_id: str) -> str:
    """Return the id of the rework whose change freed most of the days that `before` charged.

    A rework works fines out by all that was announced, so it may lower one because of another
    change that was recorded at the same time. `rework_id` is its own id, which goes before others
    that freed as many days.
    """
    freed: Counter[str] = Counter()
    branch = branch_rework_id(branch_code)
    for charged in before.spans:
        if charged.disposition is not Disposition.CHARGED:
            continue
        # A closure moves the day after which days are overdue; None: nothing is overdue any more.
        freed[branch] += _shared_days(charged, charged.from_, after.due_on or charged.to)
        for free in after.spans:
            days = _shared_days(charged, free.from_, free.to)
            if free.disposition is Disposition.CLOSED:
                freed[branch] += days
            elif free.disposition is Disposition.SUSPENDED:
                for suspension_id in {cause.id for cause in free.causes}:
                    freed[f"suspension/{suspension_id}"] += days
    return max((rework_id, *freed), key=lambda cause: freed[cause])


def _shared_days(span: Span, first: date, last: date) -> int:
    """Return how many days of a span are in another, both ends included."""
    return max(0, (min(span.to, last) - max(span.from_, first) + DAY).days)


def newly_closed(branch: BranchCalendar, since: int) -> tuple[date, date] | None:
    """Return the first and last day that announcements after version `since` may have closed.

    Only days in this span can have become free since. Returns None if there is none.
    """
    announced = [
        (closure, announcement)
        for closure in branch.closures
        for announcement in closure.announcements
        if announcement.version > since
    ]
    spans = [
        (announcement.starts_on or closure.starts_on, last_before(announcement.reopened_on))
        for closure, announcement in announced
    ]
    # Weekly hours, and the beginning or end of special hours, can close any later day.
    spans += [(week.from_, NO_END) for week in branch.weeks if week.version > since]
    other_week = branch.now.other_week(branch.as_of(since))
    if other_week is not None:
        spans.append((other_week, NO_END))
    if not spans:
        return None
    return min(first for first, _ in spans), max(last for _, last in spans)
