"""What circulation hears."""

from services.circulation.usecases.forget_holds import ForgetHolds, forget_holds
from services.circulation.usecases.note_calendar import note_calendar
from services.circulation.usecases.note_patron import note_patron
from services.circulation.usecases.note_reader import note_reader
from services.circulation.usecases.serve_holds import serve_waiting
from shared.bus import Hears
from shared.clock import library_day
from shared.contracts.accounts import (
    PatronBlocked,
    PatronErased,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUpdated,
    PreferencesChanged,
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
    """Keep what accounts says of a patron, then serve or end their holds.

    Both are transactions after the one that takes the event in; if this process ends between
    them the event comes again, and they do what is left to do.
    """
    await run(note_patron, event)
    day = library_day(run.now, run.settings.zone)
    if event.status == "erased":
        await run.in_steps()(forget_holds, ForgetHolds(event.patron_id, day))
    elif event.status == "active":
        await serve_waiting(run.in_steps(), day, patron_id=event.patron_id)


@hears(PreferencesChanged)
async def keep_reader(event: PreferencesChanged, run: Run) -> None:
    """Keep whether a patron wants their reading history kept; who wants none has none."""
    await run(note_reader, event)


@hears(BranchRegistered, BranchClosed, BranchReopened, BranchClosureChanged, BranchHoursChanged)
async def keep_calendar(event: BranchSnapshot, run: Run) -> None:
    """Keep a branch's calendar. Holds and due dates follow in a sweep, off the path of events."""
    await run(note_calendar, event)
