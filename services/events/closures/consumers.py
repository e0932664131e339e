"""Consumers of changed calendars."""

from services.events.closures.commands import note_calendar
from shared.bus.subscriptions import Subscriptions
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(BranchSnapshot)
async def keep_calendar(event: BranchSnapshot, run: Run) -> None:
    """Store a branch's calendar. A job then lets bookings and places follow it."""
    await run(note_calendar, event)
