"""Settle a conflict about what a station lent while it was offline."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.conflict import Conflict, Resolution, resolve
from services.circulation.domain.refusals.conflicts import NoSuchConflict
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ResolveConflict:
    """Command to settle a conflict: its id, the account that settles it, and a note."""

    conflict_id: str
    by: str
    note: str


def resolve_conflict(work: Work, command: ResolveConflict) -> Conflict:
    """Settle the conflict. Raises NoSuchConflict or ConflictResolved."""
    conflict = store.conflicts.get(work, command.conflict_id)
    if conflict is None:
        raise NoSuchConflict
    settled = resolve(conflict, Resolution(command.by, work.now, command.note))
    store.conflicts.save(work, settled)
    return settled
