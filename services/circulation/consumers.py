"""Consumers of the events that circulation subscribes to."""

from services.circulation.usecases.commands.cancel_holds import CancelHolds, cancel_holds
from services.circulation.usecases.commands.note_calendar import note_calendar
from services.circulation.usecases.commands.note_link import note_link
from services.circulation.usecases.commands.note_reader import note_reader
from services.circulation.usecases.workflows.follow_patron import follow_patron
from services.circulation.usecases.workflows.serve_waiting import serve_waiting
from shared.bus.subscriptions import Subscriptions
from shared.clock import library_day
from shared.contracts.accounts import (
    LinkSnapshot,
    PatronBlocked,
    PatronCameOfAge,
    PatronErased,
    PatronLinked,
    PatronRegistered,
    PatronSnapshot,
    PatronUnblocked,
    PatronUnlinked,
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

subscriptions = Subscriptions()


@subscriptions.to(
    PatronRegistered,
    PatronUpdated,
    PatronCameOfAge,
    PatronBlocked,
    PatronUnblocked,
    PatronErased,
)
async def keep_patron(event: PatronSnapshot, run: Run) -> None:
    """Store the patron's data from accounts, then serve or end the patron's holds.

    Holds are served or ended in transactions after the one that processes the event. If the process
    stops in between, the event is delivered again and the remaining holds are handled then.
    """
    await follow_patron(run, event)
    day = library_day(run.now, run.settings.zone)
    if event.status == "erased":
        await run.in_steps()(cancel_holds, CancelHolds(event.patron_id, day))
    elif event.status == "active":
        await serve_waiting(run.in_steps(), day, patron_id=event.patron_id)


@subscriptions.to(PatronLinked, PatronUnlinked)
async def keep_link(event: LinkSnapshot, run: Run) -> None:
    """Store a link of two patrons' cards: each may renew, reserve and cancel for the other."""
    await run(note_link, event)


@subscriptions.to(PreferencesChanged)
async def keep_reader(event: PreferencesChanged, run: Run) -> None:
    """Store a patron's choice about reading history; delete the history if they want none."""
    await run(note_reader, event)


@subscriptions.to(
    BranchRegistered, BranchClosed, BranchReopened, BranchClosureChanged, BranchHoursChanged
)
async def keep_calendar(event: BranchSnapshot, run: Run) -> None:
    """Store a branch's calendar. A sweep updates holds and due dates later."""
    await run(note_calendar, event)
