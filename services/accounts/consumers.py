"""Consumers of the events that accounts subscribes to."""

from services.accounts.usecases.note_branch import note_branch
from services.accounts.usecases.note_standing import note_standing
from shared.bus.subscriptions import Subscriptions
from shared.contracts.circulation import (
    ChargeSnapshot,
    FineAdjusted,
    FineAssessed,
    FinePaid,
    FineWaived,
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


@subscriptions.to(FineAssessed, FineAdjusted, FinePaid, FineWaived)
async def block_or_unblock(event: ChargeSnapshot, run: Run) -> None:
    """Block a patron who owes too much, and unblock one who no longer does."""
    await run(note_standing, event)


@subscriptions.to(
    BranchRegistered, BranchClosed, BranchReopened, BranchClosureChanged, BranchHoursChanged
)
async def keep_branch(event: BranchSnapshot, run: Run) -> None:
    """Note a branch; its registration may be older than what its topic still has."""
    await run(note_branch, event)
