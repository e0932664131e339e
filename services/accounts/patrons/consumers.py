"""Consumers of changed charges."""

from services.accounts.patrons.commands.records import note_standing
from shared.bus.subscriptions import Subscriptions
from shared.contracts.circulation import ChargeSnapshot
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(ChargeSnapshot)
async def block_or_unblock(event: ChargeSnapshot, run: Run) -> None:
    """Block a patron who owes too much, and unblock one who no longer does."""
    await run(note_standing, event)
