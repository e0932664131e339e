"""Sweep a branch: apply its announcements to its holds and loans, chunk by chunk."""

import asyncio
import time
from collections.abc import Collection
from datetime import date

from services.circulation import store
from services.circulation.domain.sweep import Stage
from services.circulation.usecases.commands.move_due_dates import MoveDueDates, move_due_dates
from services.circulation.usecases.commands.move_shelf_dates import MoveShelfDates, move_shelf_dates
from services.circulation.usecases.commands.take_chunk import TakeChunk, Taken, take_chunk
from services.circulation.usecases.workflows.serve_waiting import serve_titles
from shared.clock import library_day, wall_clock
from shared.failpoint import failpoint
from shared.unit_of_work import Origin, Run


async def sweep_branch(
    run: Run, branch_code: str, *, rest: float = 0.0, today: date | None = None
) -> int:
    """Sweep a branch chunk by chunk; return the number of loans and holds that changed.

    Stops when no chunk is left to take. Pauses after each chunk for `rest` times as long as the
    chunk took. See `move_chunk` for `today`.
    """
    moved = 0
    finished: int | None = None
    while taken := await run(take_chunk, TakeChunk(branch_code, wall_clock(), finished)):
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
            moving = MoveShelfDates(taken.sweep.id, chunk.ids, day)
            return await because(move_shelf_dates, moving)
        case Stage.LOANS:
            return await because(move_due_dates, MoveDueDates(chunk.ids))


async def _serve(run: Run, hold_ids: Collection[str], day: date) -> int:
    titles = await store.holds.titles_of(run.database, hold_ids)
    return await serve_titles(run, titles, day)
