"""What circulation hears."""

from services.circulation.usecases.move_due_dates import move_due_dates_of
from services.circulation.usecases.note_calendar import note_calendar
from services.circulation.usecases.note_patron import note_patron
from shared.bus import Hears
from shared.contracts.accounts import (
    PatronBlocked,
    PatronErased,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUpdated,
)
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchHoursChanged,
    BranchRegistered,
    BranchReopened,
    BranchSnapshot,
)
from shared.unit_of_work import Run

hears = Hears()


@hears(PatronRegistered, PatronUpdated, PatronBlocked, PatronUnblocked, PatronErased)
async def keep_patron(event: PatronSnapshot, run: Run) -> None:
    """Keep what accounts says of a patron."""
    await run(note_patron, event)


@hears(BranchRegistered, BranchClosed, BranchReopened, BranchClosureChanged, BranchHoursChanged)
async def keep_calendar(event: BranchSnapshot, run: Run) -> None:
    """Keep a branch's calendar, then move the due dates of its open loans.

    The moves are many transactions after the one that takes the event in. If this process ends
    between them the event comes again: its calendar is known then, and the moves go on. So they
    must not pass the inbox, and each changes only loans that have not moved.
    """
    await run(note_calendar, event)
    await move_due_dates_of(event.branch, run.in_steps())
