"""Consumers of changed branches."""

from services.accounts.preferences.commands import note_branch
from shared.bus.subscriptions import Subscriptions
from shared.contracts.notices import BranchSnapshot
from shared.unit_of_work import Run

subscriptions = Subscriptions()


@subscriptions.to(BranchSnapshot)
async def keep_branch(event: BranchSnapshot, run: Run) -> None:
    """Note a branch; its registration may be older than what its topic still has."""
    await run(note_branch, event)
