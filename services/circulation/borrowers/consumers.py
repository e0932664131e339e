"""Consumers of linked cards and preferences."""

from services.circulation.borrowers.commands import note_link, note_reader
from shared.bus.subscriptions import Subscriptions
from shared.contracts.accounts import LinkSnapshot, PreferencesChanged
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(LinkSnapshot)
async def keep_link(event: LinkSnapshot, run: Run) -> None:
    """Store a link of two patrons' cards: each may renew, reserve and cancel for the other."""
    await run(note_link, event)


@subscriptions.to(PreferencesChanged)
async def keep_reader(event: PreferencesChanged, run: Run) -> None:
    """Store a patron's choice about reading history; delete the history if they want none."""
    await run(note_reader, event)
