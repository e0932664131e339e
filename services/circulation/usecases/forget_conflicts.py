"""Forget the conflicts of offline check-outs that were settled long ago."""

from dataclasses import dataclass
from datetime import datetime

from services.circulation import store
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ForgetConflicts:
    """Until when they were settled, UTC."""

    settled_before: datetime


async def forget_conflicts(work: Work, command: ForgetConflicts) -> int:
    """How many there were: they say who had what."""
    return await store.conflicts.forget_settled(work, command.settled_before)
