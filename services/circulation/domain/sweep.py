"""A sweep: a branch has announced something, and its queues, its shelf and its loans are to follow.

Any number of workers share it, chunk by chunk. Whoever takes a chunk holds it for a time; one that
was not finished by then is taken again by another. To carry a chunk out twice changes nothing.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from enum import StrEnum

HOLD = timedelta(seconds=10)
"""For how long a worker has a chunk for itself."""

SETTLE = timedelta(seconds=90)
"""How long after its end a sweep looks once more. A transaction that began before it, and knows the
calendar before, has ended by then: the server ends one after 60 s at the latest."""


class SweepState(StrEnum):
    """How far a sweep has come."""

    MOVING = "moving"
    SETTLING = "settling"
    """All that was there has moved; it looks once more for loans made or renewed meanwhile."""
    DONE = "done"


class Stage(StrEnum):
    """What a sweep passes over, in this order: who waits for a copy comes first."""

    QUEUES = "queues"
    """Holds to be collected at the branch that wait: some may be served now."""
    SHELF = "shelf"
    """Holds that are ready there: the last day to collect them follows."""
    LOANS = "loans"
    """Open loans of the branch: their due dates follow."""


@dataclass(frozen=True, slots=True)
class Place:
    """A hold or a loan on the way of a sweep."""

    stage: Stage
    id: str
    span: int = 0
    """Of a loan: in which of the calendar's movable spans."""
    due_on: date | None = None
    """Of a loan."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Holds or loans in the hands of one worker. Instants are by the wall clock."""

    number: int
    stage: Stage
    ids: tuple[str, ...]
    until: datetime


@dataclass(frozen=True, slots=True)
class Cause:
    """The event that set the sweep off, which its own events name."""

    at: datetime
    """Business time."""
    correlation_id: str
    causation_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """What there is to do for one branch, and how far it has come."""

    id: str
    """The branch code."""
    calendar_version: int
    """All is to follow what was announced up to this version of the branch."""
    since: int
    """All loans follow what was announced up to this one."""
    cause: Cause
    state: SweepState = SweepState.MOVING
    total: int | None = None
    """How many holds and loans may have to follow; None: not counted yet."""
    done: int = 0
    """How many of them have been looked at."""
    place: Place | None = None
    """The last one that a worker took; None: none yet."""
    in_hand: tuple[Chunk, ...] = ()
    taken: int = 0
    """How many chunks workers have taken."""
    settled_after: datetime | None = None
    """When it looks once more."""
    version: int = 1


def begin(known: Sweep | None, branch_code: str, calendar_version: int, cause: Cause) -> Sweep:
    """The sweep for a newer version of a branch's calendar.

    One that is under way begins again: its loans that have moved are no longer in its way.
    """
    if known is None:
        return Sweep(id=branch_code, calendar_version=calendar_version, since=0, cause=cause)
    return Sweep(
        id=branch_code,
        calendar_version=calendar_version,
        since=known.since,
        cause=cause,
        taken=known.taken,
        version=known.version + 1,
    )


def abandoned(sweep: Sweep, at: datetime) -> Chunk | None:
    """A chunk whose worker has not finished it in its time."""
    return next((chunk for chunk in sweep.in_hand if chunk.until <= at), None)


def stages_left(sweep: Sweep) -> tuple[Stage, ...]:
    """The stage that a sweep has come to, and those after it."""
    stages = tuple(Stage)
    return stages if sweep.place is None else stages[stages.index(sweep.place.stage) :]


def take(sweep: Sweep, places: tuple[Place, ...], total: int, at: datetime) -> Sweep:
    """With what is at the next `places`, all of one stage, in the hands of a worker: the last of
    `in_hand`.
    """
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
    """With an abandoned chunk in the hands of another worker: the last of `in_hand`."""
    others = tuple(one for one in sweep.in_hand if one is not chunk)
    again = replace(chunk, until=at + HOLD)
    return replace(sweep, in_hand=(*others, again), version=sweep.version + 1)


def finish(sweep: Sweep, number: int) -> Sweep:
    """Without a chunk that has moved. The same sweep if another worker has finished it."""
    left = tuple(chunk for chunk in sweep.in_hand if chunk.number != number)
    finished = sum(len(chunk.ids) for chunk in sweep.in_hand if chunk.number == number)
    if not finished:
        return sweep
    return replace(sweep, in_hand=left, done=sweep.done + finished, version=sweep.version + 1)


def come_to_an_end(sweep: Sweep, at: datetime) -> Sweep:
    """The sweep once nothing is left to take; the same while a chunk is in hand."""
    if sweep.in_hand:
        return sweep
    ended = replace(sweep, place=None, total=sweep.done, version=sweep.version + 1)
    if sweep.state is SweepState.MOVING:
        return replace(ended, state=SweepState.SETTLING, settled_after=at + SETTLE)
    if sweep.settled_after is not None and at < sweep.settled_after:
        return ended if sweep.place is not None else sweep
    return replace(ended, state=SweepState.DONE, since=sweep.calendar_version)


def one_version_after(sweep: Sweep, before: Sweep) -> Sweep:
    """The sweep as the next version of what it was before several steps."""
    return replace(sweep, version=before.version + 1)
