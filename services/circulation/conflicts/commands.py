"""Settle and purge conflicts."""

from dataclasses import dataclass
from datetime import datetime

from services.circulation.conflicts import store
from services.circulation.refusals import NoSuchConflict
from services.circulation.rules.conflict import Conflict, Resolution, resolve
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ResolveConflict:
    """Command to settle a conflict: its id, the account that settles it, and a note."""

    conflict_id: str
    by: str
    note: str


def resolve_conflict(work: Work, command: ResolveConflict) -> Conflict:
    """Settle the conflict. Raises NoSuchConflict or ConflictResolved."""
    conflict = store.get(work, command.conflict_id)
    if conflict is None:
        raise NoSuchConflict
    settled = resolve(conflict, Resolution(command.by, work.now, command.note))
    store.save(work, settled)
    return settled


@dataclass(frozen=True)
class PurgeConflicts:
    """Command to delete the conflicts that were settled before an instant, UTC."""

    settled_before: datetime


def purge_conflicts(work: Work, command: PurgeConflicts) -> int:
    """Delete the conflicts, because they say who had what; return how many there were."""
    return store.purge_settled(work, command.settled_before)
