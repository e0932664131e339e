"""Lease the next holds or loans of a sweep to this worker, so that no other worker moves them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.circulation import store
from services.circulation.domain import sweep as rules
from services.circulation.domain.branch_calendar import Movable
from services.circulation.domain.sweep import Chunk, Position, Stage, Sweep, SweepState
from shared.unit_of_work import Work

CHUNK = 20
"""Loans or holds moved in one transaction; docs/performance.md has the measurements."""


@dataclass(frozen=True)
class TakeChunk:
    """Command to take the next chunk of a branch's sweep.

    `at` is by the wall clock. `finished` is the number of the chunk that this worker has moved
    before.
    """

    branch_code: str
    at: datetime
    finished: int | None = None


@dataclass(frozen=True)
class Taken:
    """A chunk and its sweep."""

    sweep: Sweep
    chunk: Chunk


def take_chunk(work: Work, command: TakeChunk) -> Taken | None:
    """Take the next chunk; None if there is none now.

    When none is left, the sweep advances its state.
    """
    before = store.sweeps.get(work, command.branch_code)
    if before is None or before.state is SweepState.DONE:
        return None
    sweep = before if command.finished is None else rules.finish(before, command.finished)
    sweep, chunk = _next_chunk(work, sweep, command.at)
    if sweep is not before:
        # Several steps in one transaction count as one version.
        store.sweeps.save(work, rules.one_version_after(sweep, before))
    return Taken(sweep, chunk) if chunk else None


def _next_chunk(work: Work, sweep: Sweep, at: datetime) -> tuple[Sweep, Chunk | None]:
    if abandoned := rules.abandoned(sweep, at):
        again = rules.take_again(sweep, abandoned, at)
        return again, again.in_hand[-1]
    calendar = store.calendars.get(work, sweep.id)
    spans = calendar.movable(sweep.since) if calendar else ()
    for stage in rules.stages_left(sweep):
        if places := _next_places(work, sweep, stage, spans):
            total = sweep.total
            if total is None or sweep.place is None:
                total = sweep.done + _count(work, sweep, spans)
            taken = rules.take(sweep, places, total, at)
            return taken, taken.in_hand[-1]
    return rules.come_to_an_end(sweep, at), None


def _next_places(
    work: Work, sweep: Sweep, stage: Stage, spans: Sequence[Movable]
) -> tuple[Position, ...]:
    if stage is Stage.LOANS:
        return store.loans.next_to_move(work, sweep, spans, limit=CHUNK)
    return store.holds.next_to_follow(work, sweep, stage, limit=CHUNK)


def _count(work: Work, sweep: Sweep, spans: Sequence[Movable]) -> int:
    holds = [
        store.holds.count_to_follow(work, sweep, stage) for stage in (Stage.QUEUES, Stage.SHELF)
    ]
    return sum(holds) + store.loans.count_to_move(work, sweep, spans)
