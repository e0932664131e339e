"""Scheduled jobs of circulation. Each job may run twice, and on any replica."""

import asyncio
import random
import time
from datetime import date, timedelta
from typing import cast

from services.circulation import queries
from services.circulation.provider import provider_of
from services.circulation.settings import Settings
from services.circulation.usecases.declare_lost import DeclareLost, give_up
from services.circulation.usecases.expire_hold import ExpireHold, expire_hold
from services.circulation.usecases.forget_conflicts import ForgetConflicts, forget_conflicts
from services.circulation.usecases.forget_hold import ForgetHold, forget_hold
from services.circulation.usecases.forget_loan import ForgetLoan, forget_loan
from services.circulation.usecases.move_chunk import move_chunk
from services.circulation.usecases.notice_due_soon import NoticeDueSoon, notice_due_soon
from services.circulation.usecases.notice_overdue import NoticeOverdue, notice_overdue
from services.circulation.usecases.pay_charges import resume_payment
from services.circulation.usecases.refund_charge import give_refund
from services.circulation.usecases.resume_fines import ResumeFines, resume_fines
from services.circulation.usecases.rework_fines import rework_wanted
from services.circulation.usecases.serve_holds import serve_waiting
from services.circulation.usecases.take_chunk import TakeChunk, take_chunk
from shared.clock import library_day, wall_clock
from shared.failpoint import failpoint
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()

REST = 2.0
"""Pause of a sweep after each chunk, as a multiple of the time the chunk took: check-outs go first.
Until a loan is swept, reads apply the rule, so there is no hurry; docs/performance.md has the
measurements."""


def settings_of(run: Run) -> Settings:
    """Return the settings of a run as circulation's `Settings`."""
    return cast(Settings, run.settings)


CONFLICTS_ARE_KEPT = timedelta(days=31)
"""Time for which a conflict is kept after staff settled it."""

PATIENCE = timedelta(minutes=1)
"""Age from which the job resumes a payment or refund; before that, the call that began it does."""


@jobs.every(minutes=10)
async def overdue(run: Run) -> int:
    """Publish the overdue notices due on the library day of `now`: first and later ones."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).overdue_days
    done = 0
    async for loan_id in in_any_order(queries.loans_to_notice(run.database, day, days)):
        done += await run(notice_overdue, NoticeOverdue(loan_id, day, days))
    return done


@jobs.every(minutes=10)
async def due_soon(run: Run) -> int:
    """Publish, once for each due date, that a loan is due within the next `due_soon_days` days."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).due_soon_days
    done = 0
    async for loan_id in in_any_order(queries.loans_to_remind(run.database, day, days)):
        done += await run(notice_due_soon, NoticeDueSoon(loan_id, day, days))
    return done


@jobs.every(minutes=10)
async def forget_loans(run: Run) -> int:
    """Delete settled past loans, holds that ended before today, and conflicts settled long ago.

    A loan is moved to the patron's reading history if the patron asked for one.
    """
    done = 0
    async for hold_id in in_any_order(
        queries.holds_to_forget(run.database, library_day(run.now, run.settings.zone))
    ):
        done += await run(forget_hold, ForgetHold(hold_id))
    async for loan_id in in_any_order(queries.loans_to_forget(run.database)):
        done += await run(forget_loan, ForgetLoan(loan_id))
    settled = ForgetConflicts(run.now - CONFLICTS_ARE_KEPT)
    done += await run(forget_conflicts, settled)
    return done


@jobs.every(minutes=10)
async def fines_resumed(run: Run) -> int:
    """Publish, once for each fine suspension, that it has ended by the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for suspension_id in await queries.suspensions_to_resume(run.database, day):
        done += await run(resume_fines, ResumeFines(suspension_id, day))
    return done


@jobs.every(seconds=10)
async def rework_fines(run: Run) -> int:
    """Lower assessed fines after days that they charged became free."""
    return await rework_wanted(run, library_day(run.now, run.settings.zone))


@jobs.every(minutes=10)
async def holds(run: Run) -> int:
    """End holds that ran out before the library day of `now`; serve holds that can be served.

    A command that makes a copy free gives it to a waiting hold at once. This job handles the cases
    that no command triggers: a freeze that ends, a debt that was paid, a branch that opened while a
    copy was being returned. The second pass of a sweep corrects shelf dates that its first pass
    missed.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for hold_id in queries.holds_to_end(run.database, day):
        done += await run(expire_hold, ExpireHold(hold_id, day))
    return done + await serve_waiting(run, day)


@jobs.every(minutes=5)
async def due_dates(run: Run) -> int:
    """Carry on every sweep until no chunk is left, and make a second pass where the first is over.

    A loan made while the calendar of its branch changed may be committed after the sweep, with a
    due date from the previous calendar. Until this job finds the loan, reads apply the rule, and
    any change of the loan moves its due date first.
    """
    branches = await queries.branches_to_sweep(run.database, wall_clock(), all_settling=True)
    today = library_day(run.now, run.settings.zone)
    return sum([await _sweep_branch(run, branch, today=today) for branch in branches])


@jobs.steadily(seconds=0.2)
async def sweep(run: Run) -> int:
    """Move due dates and holds soon after their branch announced a change, on every replica."""
    branches = await queries.branches_to_sweep(run.database, wall_clock(), all_settling=False)
    random.shuffle(branches)  # so that a branch that fails does not block the others forever
    return sum([await _sweep_branch(run, branch, REST) for branch in branches])


async def _sweep_branch(run: Run, branch: str, rest: float = 0.0, today: date | None = None) -> int:
    """Sweep a branch chunk by chunk; return the number of loans and holds that changed.

    Stops when no chunk is left to take. Pauses after each chunk for `rest` times as long as the
    chunk took. See `move_chunk` for `today`.
    """
    moved = 0
    finished: int | None = None
    while taken := await run(take_chunk, TakeChunk(branch, wall_clock(), finished)):
        began = time.perf_counter()
        moved += await move_chunk(run, taken, today)
        failpoint("sweep.moved")
        await asyncio.sleep(rest * (time.perf_counter() - began))
        finished = taken.chunk.number
    return moved


@jobs.every(minutes=60)
async def lost(run: Run) -> int:
    """Declare lost the loans that are overdue for as long as their policy allows."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in queries.loans_to_give_up(run.database, day):
        done += await run(give_up, DeclareLost(loan_id, day, "rule"))
    return done


@jobs.every(minutes=1)
async def payments(run: Run) -> int:
    """Finish the payments and refunds that a crash or a silent provider left under way."""
    day = library_day(run.now, run.settings.zone)
    begun_by = run.now - PATIENCE
    done = 0
    for payment in await queries.payments_under_way(run.database, begun_by):
        provider = provider_of(run.settings, run.database)
        done += await resume_payment(run, provider, payment, day)
    for refund in await queries.refunds_under_way(run.database, begun_by):
        provider = provider_of(run.settings, run.database)
        done += (await give_refund(run, provider, refund, day)).settled
    return done
