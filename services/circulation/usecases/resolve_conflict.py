"""Settle what a station lent while it was offline."""

from dataclasses import dataclass

from services.circulation import store
from services.circulation.domain.conflict import Conflict, Resolution, resolve
from services.circulation.domain.refusals import NoSuchConflict
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ResolveConflict:
    """Which conflict, by whom, and what was found."""

    conflict_id: str
    by: str
    note: str


async def resolve_conflict(work: Work, command: ResolveConflict) -> Conflict:
    """The conflict, settled. Raises NoSuchConflict or ConflictResolved."""
    conflict = await store.conflicts.get(work, command.conflict_id)
    if conflict is None:
        raise NoSuchConflict
    settled = resolve(conflict, Resolution(command.by, work.now, command.note))
    await store.conflicts.save(work, settled)
    return settled
