"""Apply a branch's announcements to one chunk of its sweep."""

from collections.abc import Collection
from datetime import date

from services.circulation import store
from services.circulation.domain.sweep import Stage
from services.circulation.usecases.move_due_dates import MoveDueDates, move_due_dates
from services.circulation.usecases.move_shelf_dates import MoveShelfDates, move_shelf_dates
from services.circulation.usecases.serve_holds import serve_titles
from services.circulation.usecases.take_chunk import Taken
from shared.clock import library_day
from shared.unit_of_work import Origin, Run


async def move_chunk(run: Run, taken: Taken, today: date | None = None) -> int:
    """Apply the announcements to the loans or holds of the chunk; return how many changed.

    Moving a chunk again changes nothing. The events name the announcement as their cause, and have
    its day. Whether a hold can be served is decided on `today` if that is given and later: a pass
    that comes days after the announcement must not send a copy to a branch that has closed since.
    None: the day of the announcement.
    """
    cause, chunk = taken.sweep.cause, taken.chunk
    because = run.because_of(Origin(cause.at, cause.correlation_id, cause.causation_id))
    match chunk.stage:
        case Stage.QUEUES:
            day = library_day(because.now, run.settings.zone)
            return await _serve(because, chunk.ids, max(day, today or day))
        case Stage.SHELF:
            return await because(move_shelf_dates, MoveShelfDates(taken.sweep.id, chunk.ids))
        case Stage.LOANS:
            return await because(move_due_dates, MoveDueDates(chunk.ids))


async def _serve(run: Run, hold_ids: Collection[str], day: date) -> int:
    titles = await store.holds.titles_of(run.database, hold_ids)
    return await serve_titles(run, titles, day)
