"""Door 2: every patron-facing event, folded into the views.

There is no inbox row and no transaction: each write is guarded by the version of what it changes,
so an event that comes again, or late, changes nothing.
"""

from services.gateway import store
from services.gateway.projection import fold
from shared.bus import Hears
from shared.contracts import accounts, circulation, events, notices
from shared.contracts.event import Event
from shared.unit_of_work import Run

hears = Hears()


@hears(
    accounts.PatronRegistered,
    accounts.PatronUpdated,
    accounts.PatronBlocked,
    accounts.PatronUnblocked,
    accounts.PatronErased,
    accounts.PreferencesChanged,
    circulation.LoanCheckedOut,
    circulation.LoanRenewed,
    circulation.LoanDueDateChanged,
    circulation.LoanDueSoon,
    circulation.LoanOverdue,
    circulation.LoanReturned,
    circulation.HoldPlaced,
    circulation.HoldChanged,
    circulation.HoldReady,
    circulation.HoldCollected,
    circulation.HoldCancelled,
    circulation.HoldExpired,
    circulation.LoanLost,
    circulation.LoanClaimed,
    circulation.FineAssessed,
    circulation.FineAdjusted,
    circulation.FinePaid,
    circulation.FineWaived,
    notices.NotificationDelivered,
    notices.NotificationRead,
    events.RegistrationConfirmed,
    events.RegistrationWaitlisted,
    events.RegistrationCancelled,
)
async def show_in_account(event: Event, run: Run) -> None:
    """Put what changed for one patron into the patron's view."""
    await store.apply(run.database, fold(event, run.now))


@hears(circulation.TitleCatalogued)
async def show_title(event: circulation.TitleCatalogued, run: Run) -> None:
    """Keep the title, and show it where it is waited for or an older wording is shown."""
    await store.apply(run.database, fold(event, run.now))


@hears(
    events.ActivityPublished,
    events.ActivityRescheduled,
    events.ActivityCancelled,
    events.RecordingReleased,
    notices.BranchRegistered,
    notices.BranchClosed,
    notices.BranchReopened,
    notices.BranchClosureChanged,
    notices.BranchHoursChanged,
    notices.NoticePublished,
    circulation.FinesSuspended,
    circulation.FinesResumed,
)
async def show_to_all(event: Event, run: Run) -> None:
    """Keep what is the same for all: activities, notices, branches, suspensions of fines."""
    await store.apply(run.database, fold(event, run.now))
