"""Scheduled jobs of loans."""

from datetime import timedelta

from services.circulation.conflicts.commands import purge_conflicts
from services.circulation.holds import store as holds_store
from services.circulation.holds.commands.holds import purge_hold
from services.circulation.loans import queries
from services.circulation.loans.commands.losses import DeclareLost, declare_long_overdue
from services.circulation.loans.commands.notices import notice_due_soon, notice_overdue, purge_loan
from services.circulation.loans.commands.renew import renew_due_loan
from services.circulation.loans.store import loans as store
from services.circulation.settings import settings_of
from shared.clock import library_day
from shared.jobs import Jobs, in_any_order
from shared.unit_of_work import Run

jobs = Jobs()


CONFLICTS_ARE_KEPT = timedelta(days=31)
"""Time for which a conflict is kept after staff settled it."""


@jobs.every(minutes=10)
async def overdue(run: Run) -> int:
    """Publish the overdue notices due on the library day of `now`: first and later ones."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).overdue_days
    done = 0
    async for loan_id in in_any_order(queries.loans_to_notice(run.database, day, days)):
        done += await run(notice_overdue, loan_id, day, days)
    return done


@jobs.every(minutes=10)
async def due_soon(run: Run) -> int:
    """Publish, once for each due date, that a loan is due within the next `due_soon_days` days."""
    day = library_day(run.now, run.settings.zone)
    days = settings_of(run).due_soon_days
    last = day + timedelta(days=days)
    done = 0
    async for loan_id in in_any_order(store.to_remind(run.database, day, last)):
        done += await run(notice_due_soon, loan_id, day, days)
    return done


@jobs.every(minutes=10)
async def renew_due(run: Run) -> int:
    """Renew the loans that are due on the library day of `now` and whose policy renews them.

    A loan that cannot be renewed is tried again in the next run: the one who waits for it may have
    got another copy.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in in_any_order(store.to_renew(run.database, day)):
        done += await run(renew_due_loan, loan_id, day)
    return done


@jobs.every(minutes=10)
async def purge_loans(run: Run) -> int:
    """Delete settled past loans, holds that ended before today, and conflicts settled long ago.

    A loan is moved to the patron's reading history if the patron asked for one.
    """
    day = library_day(run.now, run.settings.zone)
    done = 0
    # Until the end of the day, a client that was told of a hold can still read it.
    async for hold_id in in_any_order(holds_store.ended(run.database, day)):
        done += await run(purge_hold, hold_id)
    async for loan_id in in_any_order(queries.loans_to_purge(run.database, run.now)):
        done += await run(purge_loan, loan_id)
    return done + await run(purge_conflicts, run.now - CONFLICTS_ARE_KEPT)


@jobs.every(minutes=60)
async def lost(run: Run) -> int:
    """Declare lost the loans that are overdue for as long as their policy allows."""
    day = library_day(run.now, run.settings.zone)
    done = 0
    async for loan_id in store.to_lose(run.database, day):
        done += await run(declare_long_overdue, DeclareLost(loan_id, day, "rule"))
    return done
