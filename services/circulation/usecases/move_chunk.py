"""Move what a worker has taken of a sweep to where its branch's announcements put it."""

from collections.abc import Collection

from services.circulation import store
from services.circulation.domain.sweep import Stage
from services.circulation.usecases.move_due_dates import MoveDueDates, move_due_dates
from services.circulation.usecases.move_shelf_dates import MoveShelfDates, move_shelf_dates
from services.circulation.usecases.serve_holds import serve_titles
from services.circulation.usecases.take_chunk import Taken
from shared.clock import library_day
from shared.unit_of_work import Origin, Run


async def move_chunk(run: Run, taken: Taken) -> int:
    """How many of its loans or holds changed; moved again, none.

    What is published names the announcement as its cause, and is of its day.
    """
    cause, chunk = taken.sweep.cause, taken.chunk
    because = run.because_of(Origin(cause.at, cause.correlation_id, cause.causation_id))
    match chunk.stage:
        case Stage.QUEUES:
            return await _serve(because, chunk.ids)
        case Stage.SHELF:
            return await because(move_shelf_dates, MoveShelfDates(taken.sweep.id, chunk.ids))
        case Stage.LOANS:
            return await because(move_due_dates, MoveDueDates(chunk.ids))


async def _serve(run: Run, hold_ids: Collection[str]) -> int:
    titles = await store.holds.titles_of(run.database, hold_ids)
    return await serve_titles(run, titles, library_day(run.now, run.settings.zone))
