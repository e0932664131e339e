"""What circulation does because time has come. Each job may run twice, and on any replica."""

from services.circulation import queries
from services.circulation.usecases.move_due_dates import move_due_dates_of
from services.circulation.usecases.notice_overdue import NoticeOverdue, notice_overdue
from services.circulation.usecases.resume_fines import ResumeFines, resume_fines
from shared.clock import library_day
from shared.jobs import Jobs
from shared.unit_of_work import Run

jobs = Jobs()


@jobs.every(minutes=10)
async def overdue(run: Run) -> int:
    """Tell, once for each due date, of the loans that are overdue on the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in queries.loans_to_notice(run.database, day):
        done += await run(notice_overdue, NoticeOverdue(loan_id, day))
    return done


@jobs.every(minutes=10)
async def fines_resumed(run: Run) -> int:
    """Tell, once, of each fine suspension that has ended by the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for suspension_id in await queries.suspensions_to_resume(run.database, day):
        done += await run(resume_fines, ResumeFines(suspension_id, day))
    return done


@jobs.every(minutes=5)
async def due_dates(run: Run) -> int:
    """Move the due dates that a sweep has missed.

    A loan made in the same moment as its branch's calendar changed may be committed after the
    sweep and know only the calendar before. Until this finds it, what is asked of it is answered
    by the rule, and any change of the loan moves its due date first.
    """
    return sum(
        [await move_due_dates_of(branch, run) for branch in await queries.branches(run.database)]
    )
