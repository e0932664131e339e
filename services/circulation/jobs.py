"""Scheduled jobs of circulation. Each job may run twice, and on any replica."""

import random
from datetime import timedelta

from services.circulation import queries, store
from services.circulation.provider import provider_of
from services.circulation.settings import settings_of
from services.circulation.usecases.commands.declare_lost import DeclareLost, declare_long_overdue
from services.circulation.usecases.commands.expire_hold import ExpireHold, expire_hold
from services.circulation.usecases.commands.notice_due_soon import NoticeDueSoon, notice_due_soon
from services.circulation.usecases.commands.notice_overdue import NoticeOverdue, notice_overdue
from services.circulation.usecases.commands.purge_conflicts import PurgeConflicts, purge_conflicts
from services.circulation.usecases.commands.purge_hold import PurgeHold, purge_hold
from services.circulation.usecases.commands.purge_loan import PurgeLoan, purge_loan
from services.circulation.usecases.commands.resume_fines import ResumeFines, resume_fines
from services.circulation.usecases.workflows.pay_charges import resume_payment
from services.circulation.usecases.workflows.refund_charge import give_refund
from services.circulation.usecases.workflows.run_reworks import run_reworks
from services.circulation.usecases.workflows.serve_waiting import serve_waiting
from services.circulation.usecases.workflows.sweep_branch import sweep_branch
from shared import folded_terms
from shared.clock import library_day, wall_clock
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()

REST = 2.0
"""Pause of a sweep after each chunk, as a multiple of the time the chunk took: check-outs go first.
Until a loan is swept, reads apply the rule, so there is no hurry; docs/performance.md has the
measurements."""


CONFLICTS_ARE_KEPT = timedelta(days=31)
"""Time for which a conflict is kept after staff settled it."""

MOST_AT_ONCE = 1000
"""Maximum number of payments or refunds that the job reads at once."""

PATIENCE = timedelta(seconds=5)
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
    last = day + timedelta(days=days)
    done = 0
    async for loan_id in in_any_order(store.loans.to_remind(run.database, day, last)):
        done += await run(notice_due_soon, NoticeDueSoon(loan_id, day, days))
    return done


@jobs.every(minutes=10)
async def purge_loans(run: Run) -> int:
    """Delete settled past loans, holds that ended before today, and conflicts settled long ago.

    A loan is moved to the patron's reading history if the patron asked for one.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    # Until the end of the day, a client that was told of a hold can still read it.
    async for hold_id in in_any_order(store.holds.ended(run.database, day)):
        done += await run(purge_hold, PurgeHold(hold_id))
    async for loan_id in in_any_order(queries.loans_to_purge(run.database)):
        done += await run(purge_loan, PurgeLoan(loan_id))
    settled = PurgeConflicts(run.now - CONFLICTS_ARE_KEPT)
    done += await run(purge_conflicts, settled)
    return done


@jobs.every(minutes=10)
async def fines_resumed(run: Run) -> int:
    """Publish, once for each fine suspension, that it has ended by the library day of `now`."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    for suspension_id in await store.suspensions.to_resume(run.database, day):
        done += await run(resume_fines, ResumeFines(suspension_id, day))
    return done


@jobs.every(seconds=10)
async def rework_fines(run: Run) -> int:
    """Lower assessed fines after days that they charged became free."""
    return await run_reworks(run, library_day(run.now, run.settings.zone))


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
    """Continue each sweep until no chunk is left, then make its second pass when that is due.

    A loan made while the calendar of its branch changed may be committed after the sweep, with a
    due date from the previous calendar. Until this job finds the loan, reads apply the rule, and
    any change of the loan moves its due date first.
    """
    branches = await store.sweeps.find_waiting(run.database, wall_clock(), all_settling=True)
    today = library_day(run.now, run.settings.zone)
    return sum([await sweep_branch(run, branch, today=today) for branch in branches])


@jobs.steadily(seconds=0.2)
async def sweep(run: Run) -> int:
    """Move due dates and holds soon after their branch announced a change, on every replica."""
    branches = await store.sweeps.find_waiting(run.database, wall_clock(), all_settling=False)
    random.shuffle(branches)  # so that a branch that fails does not block the others forever
    return sum([await sweep_branch(run, branch, rest=REST) for branch in branches])


@jobs.every(minutes=10)
async def fold_terms(run: Run) -> int:
    """Give search terms that an earlier release stored today's form; return the number changed."""
    return await folded_terms.fold_terms(run.database, "titles")


@jobs.every(minutes=60)
async def lost(run: Run) -> int:
    """Declare lost the loans that are overdue for as long as their policy allows."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in store.loans.to_lose(run.database, day):
        done += await run(declare_long_overdue, DeclareLost(loan_id, day, "rule"))
    return done


@jobs.every(seconds=10)
async def payments(run: Run) -> int:
    """Finish the payments and refunds that a crash or a silent provider left under way."""
    day = library_day(run.now, run.settings.zone)
    begun_by = run.now - PATIENCE
    done = 0
    for payment in await store.payments.find_under_way(run.database, begun_by, MOST_AT_ONCE):
        provider = provider_of(run.settings, run.database)
        done += await resume_payment(run, provider, payment, day)
    for refund in await store.payments.find_refunds_under_way(run.database, begun_by, MOST_AT_ONCE):
        provider = provider_of(run.settings, run.database)
        done += (await give_refund(run, provider, refund, day)).settled
    return done
