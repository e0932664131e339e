"""Delete the conflicts of offline check-outs that were settled long ago."""

from dataclasses import dataclass
from datetime import datetime

from services.circulation import store
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PurgeConflicts:
    """Command to delete the conflicts that were settled before an instant, UTC."""

    settled_before: datetime


def purge_conflicts(work: Work, command: PurgeConflicts) -> int:
    """Delete the conflicts, because they say who had what; return how many there were."""
    return store.conflicts.purge_settled(work, command.settled_before)
