"""Apply the calendars that branches announce: sweep holds and due dates, and rework fines."""

import asyncio
import time
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import chain

from services.circulation.borrowers import store as borrowers_store
from services.circulation.calendars import store as calendars_store
from services.circulation.charges import store as charges_store
from services.circulation.charges.commands.ledger import post
from services.circulation.closures import store
from services.circulation.holds import events as holds_events
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.queue import serve_queues
from services.circulation.loans.commands.current import current_loans, record_moves
from services.circulation.loans.store import loans as loans_store
from services.circulation.rules import sweep as sweep_rules
from services.circulation.rules.branch_calendar import (
    AnnouncedClosure,
    AnnouncedWeek,
    Announcement,
    BranchCalendar,
    Movable,
)
from services.circulation.rules.charge import Charge, ends, worked_out_again
from services.circulation.rules.hold_queue import move_shelf
from services.circulation.rules.ledger import Occasion, Posting, lower
from services.circulation.rules.sweep import (
    Chunk,
    Position,
    Rework,
    Stage,
    Sweep,
    SweepState,
    Trigger,
    begin,
    branch_rework_id,
    lowered_by,
    newly_closed,
)
from shared.clock import library_day, wall_clock
from shared.contracts import calendars
from shared.contracts.notices import BranchSnapshot
from shared.failpoint import failpoint
from shared.mongo import Database
from shared.unit_of_work import Origin, Run, Work

WEEK = frozenset(range(1, 8))


def note_calendar(work: Work, event: BranchSnapshot) -> None:
    """Save the branch's calendar, unless a newer one is known.

    Workers then sweep the branch's holds, loans and fines. Until they are done, the rules follow
    the calendar, not the stored dates.
    """
    calendar = calendar_of(event)
    if calendars_store.note(work, calendar):
        known = store.get_sweep(work, calendar.id)
        origin = work.origin
        trigger = Trigger(origin.now, origin.correlation_id, origin.causation_id)
        store.save_sweep(work, begin(known, calendar.id, calendar.version, trigger))
    store.want_rework(work, branch_rework_id(event.branch), event.version)


def calendar_of(event: BranchSnapshot) -> BranchCalendar:
    """Return the calendar in a snapshot."""
    return BranchCalendar(
        id=event.branch,
        version=event.version,
        kind=event.kind,
        weekly_closed=_closed(event.hours),
        closures=tuple(_closure(closure) for closure in event.closures),
        weeks=tuple(
            AnnouncedWeek(week.version, week.from_, _closed(week.hours))
            for week in event.hours_history
        ),
    )


def _closed(hours: tuple[calendars.Hours, ...]) -> frozenset[int]:
    """Return the ISO weekdays without hours.

    A branch for which no hours are published has no weekly closing days, only closures.
    """
    opens = {one.weekday + 1 for one in hours}
    return WEEK - opens if opens else frozenset()


def _closure(closure: calendars.ClosureOut) -> AnnouncedClosure:
    return AnnouncedClosure(
        id=closure.closure_id,
        starts_on=closure.from_,
        reason=closure.reason,
        announcements=tuple(
            Announcement(
                version=announcement.version,
                at=announcement.at,
                reopened_on=announcement.reopened_on,
                starts_on=announcement.from_,
                reason=announcement.reason,
                in_error=announcement.in_error,
                stagger_days=announcement.stagger_days,
                on_terms=announcement.on_terms,
                special_closed=(
                    None
                    if announcement.special_hours is None
                    else _closed(announcement.special_hours)
                ),
            )
            for announcement in closure.announcements
        ),
        extra_renewals=closure.extra_renewals,
    )


CHUNK = 20
"""Loans or holds moved in one transaction; docs/performance.md has the measurements."""


@dataclass(frozen=True)
class Taken:
    """A chunk and its sweep."""

    sweep: Sweep
    chunk: Chunk


def take_chunk(
    work: Work, branch_code: str, at: datetime, finished: int | None = None
) -> Taken | None:
    """Take the next chunk of a branch's sweep; None if there is none now.

    `at` is by the wall clock. `finished` is the number of the chunk that this worker moved before.

    When none is left, the sweep advances its state.
    """
    before = store.get_sweep(work, branch_code)
    if before is None or before.state is SweepState.DONE:
        return None
    sweep = before if finished is None else sweep_rules.finish(before, finished)
    sweep, chunk = _next_chunk(work, sweep, at)
    if sweep is not before:
        # Several steps in one transaction count as one version.
        store.save_sweep(work, sweep_rules.one_version_after(sweep, before))
    return Taken(sweep, chunk) if chunk else None


def _next_chunk(work: Work, sweep: Sweep, at: datetime) -> tuple[Sweep, Chunk | None]:
    if abandoned := sweep_rules.abandoned(sweep, at):
        again = sweep_rules.take_again(sweep, abandoned, at)
        return again, again.in_hand[-1]
    calendar = calendars_store.get(work, sweep.id)
    spans = calendar.movable(sweep.since) if calendar else ()
    for stage in sweep_rules.stages_left(sweep):
        if places := _next_places(work, sweep, stage, spans):
            total = sweep.total
            if total is None or sweep.place is None:
                total = sweep.done + _count(work, sweep, spans)
            taken = sweep_rules.take(sweep, places, total, at)
            return taken, taken.in_hand[-1]
    return sweep_rules.come_to_an_end(sweep, at), None


def _next_places(
    work: Work, sweep: Sweep, stage: Stage, spans: Sequence[Movable]
) -> tuple[Position, ...]:
    if stage is Stage.LOANS:
        return store.next_to_move(work, sweep, spans, limit=CHUNK)
    return store.next_to_follow(work, sweep, stage, limit=CHUNK)


def _count(work: Work, sweep: Sweep, spans: Sequence[Movable]) -> int:
    holds = [store.count_to_follow(work, sweep, stage) for stage in (Stage.QUEUES, Stage.SHELF)]
    return sum(holds) + store.count_to_move(work, sweep, spans)


def move_due_dates(work: Work, loan_ids: tuple[str, ...]) -> int:
    """Move the due dates of some loans, few for one transaction; return how many loans moved.

    Each move is published. A loan that has moved already is left unchanged.
    """
    loans = current_loans(work, loans_store.some(work, loan_ids))
    moved = [known.moves for known in loans.values() if known.moves]
    loans_store.save(work, chain.from_iterable(moved))
    for moves in moved:
        record_moves(work, moves)
    return len(moved)


def move_shelf_dates(work: Work, branch: str, hold_ids: tuple[str, ...], on: date) -> int:
    """Move the last shelf days of some ready holds of a branch; return how many moved.

    Each move is published. A hold that has moved already is left unchanged.
    """
    calendar = calendars_store.get(work, branch)
    if calendar is None:
        return 0
    holds = holds_store.some(work, hold_ids)
    moves = [
        (hold, moved)
        for hold in holds.values()
        if hold.pickup_branch == branch
        and (moved := move_shelf(hold, calendar.now, on)) is not hold
    ]
    holds_store.save(work, [moved for _, moved in moves])
    for hold, moved in moves:
        work.record(holds_events.changed(hold, moved))
    return len(moves)


async def sweep_branch(
    run: Run, branch_code: str, *, rest: float = 0.0, today: date | None = None
) -> int:
    """Sweep a branch chunk by chunk; return the number of loans and holds that changed.

    Stops when no chunk is left to take. Pauses after each chunk for `rest` times as long as the
    chunk took. See `move_chunk` for `today`.
    """
    moved = 0
    finished: int | None = None
    while taken := await run(take_chunk, branch_code, wall_clock(), finished):
        began = time.perf_counter()
        moved += await move_chunk(run, taken, today)
        failpoint("sweep.moved")
        await asyncio.sleep(rest * (time.perf_counter() - began))
        finished = taken.chunk.number
    return moved


async def move_chunk(run: Run, taken: Taken, today: date | None = None) -> int:
    """Apply the announcements to the loans or holds of the chunk; return how many changed.

    Moving a chunk again changes nothing. The events name the announcement as their cause, and have
    its day. Whether a hold can be served, and which last shelf day has passed, is decided on
    `today` if that is given and later: a pass that comes days after the announcement must not send
    a copy to a branch that has closed since. None: the day of the announcement.
    """
    cause, chunk = taken.sweep.cause, taken.chunk
    because = run.because_of(Origin(cause.at, cause.correlation_id, cause.causation_id))
    announced = library_day(because.now, run.settings.zone)
    day = max(announced, today or announced)
    match chunk.stage:
        case Stage.QUEUES:
            return await _serve(because, chunk.ids, day)
        case Stage.SHELF:
            return await because(move_shelf_dates, taken.sweep.id, chunk.ids, day)
        case Stage.LOANS:
            return await because(move_due_dates, chunk.ids)


async def _serve(run: Run, hold_ids: Collection[str], day: date) -> int:
    queues = await store.queues_of(run.database, hold_ids)
    return await serve_queues(run, queues, day)


def rework_fines(work: Work, charge_ids: tuple[str, ...], rework_id: str, on: date) -> int:
    """Lower the fines that cost less now; return how many were lowered.

    The part of the difference that was paid becomes due back. Running it again changes nothing.
    """
    charges = charges_store.some(work, charge_ids)
    codes = {charge.basis.branch_code for charge in charges if charge.basis}
    calendars = calendars_store.some(work, codes)
    suspensions = calendars_store.all_suspensions(work)
    occasion = Occasion(
        on=on,
        at=work.now,
        reason="worked out again: days that it charged are free",
    )
    lowered: dict[str, list[Posting]] = {}
    for charge in charges:
        if charge.basis is None or charge.statement is None:
            continue
        code = charge.basis.branch_code
        again = worked_out_again(charge, calendars[code].now, suspensions)
        if again is None:
            continue
        cause = lowered_by(charge.statement, again, code, rework_id)
        posting = lower(
            charge, again.amount_cents, replace(occasion, reference=cause), statement=again
        )
        if posting:
            lowered.setdefault(charge.patron_id, []).append(posting)
    borrowers = borrowers_store.borrowers(work, lowered)
    for patron_id, postings in lowered.items():
        post(work, borrowers[patron_id], postings)
    changed = [posting.charge for postings in lowered.values() for posting in postings]
    _show_at_loans(work, changed)
    return len(changed)


def _show_at_loans(work: Work, changed: list[Charge]) -> None:
    """Update the final fines of ended loans to the lowered charges.

    An open loan shows its accruing fine; the fine of an earlier due date stays with its charge.
    """
    found = loans_store.some(work, {charge.loan_id for charge in changed if charge.loan_id})
    loans = {loan.id: loan for loan in found}
    for charge in changed:
        loan = loans.get(charge.loan_id or "")
        if loan and loan.final_fine and charge.statement and ends(charge, loan):
            loans_store.correct_fine(work, loan, charge.statement)


FINES_AT_ONCE = 50
"""Number of fines worked out again in one transaction."""


async def run_reworks(run: Run, on: date) -> int:
    """Run every wanted rework; return how many fines were lowered.

    It can be interrupted and run again, and several replicas may run it at once.
    """
    done = 0
    for rework in await store.find_wanted_reworks(run.database):
        chunk: list[str] = []
        async for charge in _charges_of(run.database, rework):
            chunk.append(charge.id)
            if len(chunk) == FINES_AT_ONCE:
                done += await run(rework_fines, tuple(chunk), rework.id, on)
                chunk.clear()
        if chunk:
            done += await run(rework_fines, tuple(chunk), rework.id, on)
        await run(store.finish_rework, rework)
    return done


async def _charges_of(db: Database, rework: Rework) -> AsyncIterator[Charge]:
    """Yield the fines that the change may have lowered: at least all that it did."""
    calendars = await calendars_store.find(db)
    kind, which = rework.subject
    if kind == "branch":
        codes = {which}
        span = newly_closed(calendars[which], rework.settled)
    else:
        suspension = await calendars_store.find_suspension(db, which)
        if suspension is None:
            return
        codes = {c for c, branch in calendars.items() if suspension.concerns(c, branch.kind)}
        span = suspension.first, suspension.last
    if span:
        async for charge in charges_store.find_fines_over(db, codes, *span):
            yield charge
