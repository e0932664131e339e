"""Consumer of changed patrons, whose holds follow."""

from services.circulation.borrowers.commands import follow_patron
from services.circulation.holds.commands.holds import cancel_holds
from services.circulation.holds.commands.queue import serve_waiting
from shared.bus.subscriptions import Subscriptions
from shared.clock import library_day
from shared.contracts.accounts import PatronSnapshot
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(PatronSnapshot)
async def keep_patron(event: PatronSnapshot, run: Run) -> None:
    """Store the patron's data from accounts, then serve or end the patron's holds.

    Holds are served or ended in transactions after the one that processes the event. If the process
    stops in between, the event is delivered again and the remaining holds are handled then.
    """
    await follow_patron(run, event)
    day = library_day(run.now, run.settings.zone)
    if event.status == "erased":
        await run.in_steps()(cancel_holds, event.patron_id, day)
    elif event.status == "active":
        await serve_waiting(run.in_steps(), day, patron_id=event.patron_id)
