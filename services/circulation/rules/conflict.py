"""Conflicts: check-outs by an offline station that the rules would have refused."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.circulation.refusals import ConflictResolved


@dataclass(frozen=True, slots=True)
class Resolution:
    """Staff's settlement of a conflict."""

    by: str
    """Id of the account."""
    at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A check-out that was reported later, and that the rules would have refused.

    The copy has left the library all the same. If it was free when the report came, the loan is
    recorded; otherwise this conflict is the only record until staff have settled it.
    """

    id: str
    patron_id: str
    barcode: str
    branch_code: str
    lent_on: date
    code: str
    """Code of the refusal."""
    reason: str
    loan_id: str | None
    """Id of the loan that was recorded all the same; None: none was."""
    reported_at: datetime
    resolution: Resolution | None = None
    version: int = 1


def resolve(conflict: Conflict, resolution: Resolution) -> Conflict:
    """Settle the conflict. Raises ConflictResolved if it is settled already."""
    if conflict.resolution is not None:
        raise ConflictResolved
    return replace(conflict, resolution=resolution, version=conflict.version + 1)
