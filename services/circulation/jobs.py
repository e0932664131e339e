"""What circulation does because time has come. Each job may run twice, and on any replica."""

import asyncio
import random
import time
from datetime import timedelta
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
"""How long a sweep rests after a chunk, in times of what the chunk took: check-outs go first. The
rule decides meanwhile, so nothing hurries; docs/performance.md has the measurements."""


def settings_of(run: Run) -> Settings:
    """The settings of circulation, with which its runs are made."""
    return cast(Settings, run.settings)


CONFLICTS_ARE_KEPT = timedelta(days=31)
"""After they were settled."""

PATIENCE = timedelta(minutes=1)
"""How long a payment is left to the call that began it."""


@jobs.every(minutes=10)
async def overdue(run: Run) -> int:
    """Tell of the loans that are overdue on the library day of `now`: first, and on later days."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).overdue_days
    done = 0
    async for loan_id in in_any_order(queries.loans_to_notice(run.database, day, days)):
        done += await run(notice_overdue, NoticeOverdue(loan_id, day, days))
    return done


@jobs.every(minutes=10)
async def due_soon(run: Run) -> int:
    """Tell, once for each due date, of the loans that are due in the days to come."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).due_soon_days
    done = 0
    async for loan_id in in_any_order(queries.loans_to_remind(run.database, day, days)):
        done += await run(notice_due_soon, NoticeDueSoon(loan_id, day, days))
    return done


@jobs.every(minutes=10)
async def forget_loans(run: Run) -> int:
    """Forget the loans that are over and settled, the holds that ended before today, and conflicts.

    Who asked for it has the loans as history.
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
    """Tell, once, of each fine suspension that has ended by the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for suspension_id in await queries.suspensions_to_resume(run.database, day):
        done += await run(resume_fines, ResumeFines(suspension_id, day))
    return done


@jobs.every(seconds=10)
async def rework_fines(run: Run) -> int:
    """Lower assessed fines of which days have turned out to be free since."""
    return await rework_wanted(run, library_day(run.now, run.settings.zone))


@jobs.every(minutes=10)
async def holds(run: Run) -> int:
    """End the holds whose time was over before the library day of `now`; serve who can be served.

    What a hold waits for is given to it at once by whatever makes it free. This finds what no call
    brings about: a freeze that ends, a debt that is paid, a branch that opened in the same moment
    as a copy came back. Last days on the shelf that a sweep has missed, its last look finds.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for hold_id in queries.holds_to_end(run.database, day):
        done += await run(expire_hold, ExpireHold(hold_id, day))
    return done + await serve_waiting(run, day)


@jobs.every(minutes=5)
async def due_dates(run: Run) -> int:
    """Carry every sweep on until none is left, and look once more at those that are through.

    A loan made in the same moment as its branch's calendar changed may be committed after the
    sweep and know only the calendar before. Until this finds it, what is asked of it is answered
    by the rule, and any change of the loan moves its due date first.
    """
    branches = await queries.branches_to_sweep(run.database, wall_clock(), all_settling=True)
    return sum([await _sweep_branch(run, branch) for branch in branches])


@jobs.steadily(seconds=0.2)
async def sweep(run: Run) -> int:
    """Move due dates and holds as soon as their branch has announced something, on any replica."""
    branches = await queries.branches_to_sweep(run.database, wall_clock(), all_settling=False)
    random.shuffle(branches)  # so that one that fails keeps no other waiting for ever
    return sum([await _sweep_branch(run, branch, REST) for branch in branches])


async def _sweep_branch(run: Run, branch: str, rest: float = 0.0) -> int:
    """How many loans and holds of a branch moved, chunk by chunk, until no chunk is left to take.

    After each it rests for `rest` times as long as the chunk took.
    """
    moved = 0
    finished: int | None = None
    while taken := await run(take_chunk, TakeChunk(branch, wall_clock(), finished)):
        began = time.perf_counter()
        moved += await move_chunk(run, taken)
        failpoint("sweep.moved")
        await asyncio.sleep(rest * (time.perf_counter() - began))
        finished = taken.chunk.number
    return moved


@jobs.every(minutes=60)
async def lost(run: Run) -> int:
    """Declare lost what is overdue for as many days as its policy allows, on the day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in queries.loans_to_give_up(run.database, day):
        done += await run(give_up, DeclareLost(loan_id, day, "rule"))
    return done


@jobs.every(minutes=1)
async def payments(run: Run) -> int:
    """Bring to an end the payments and refunds that a crash or a silent provider left under way."""
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
