"""Settle and purge conflicts."""

from datetime import datetime

from services.circulation.conflicts import store
from services.circulation.refusals import NoSuchConflict
from services.circulation.rules.conflict import Conflict, Resolution, resolve
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def resolve_conflict(work: Work, conflict_id: str, by: str, note: str) -> Conflict:
    """Settle the conflict. Raises NoSuchConflict or ConflictResolved."""
    conflict = or_refuse(store.get(work, conflict_id), NoSuchConflict)
    settled = resolve(conflict, Resolution(by, work.now, note))
    store.save(work, settled)
    return settled


def purge_conflicts(work: Work, settled_before: datetime) -> int:
    """Delete the conflicts, because they say who had what; return how many there were."""
    return store.purge_settled(work, settled_before)
