"""What a station lent while it was offline, and what the rules say to it now that it is known."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from services.circulation.domain.refusals import ConflictResolved


@dataclass(frozen=True, slots=True)
class Resolution:
    """What staff did about a conflict."""

    by: str
    """Id of the account."""
    at: datetime
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A check-out that was reported later, and that the rules would have refused.

    The copy has left the library all the same. Where it was free when this became known the loan
    is recorded; otherwise this is all that is left of it, until staff have found out.
    """

    id: str
    patron_id: str
    barcode: str
    branch_code: str
    lent_on: date
    code: str
    """Of the refusal."""
    reason: str
    loan_id: str | None
    """The loan that was recorded in spite of it."""
    reported_at: datetime
    resolution: Resolution | None = None
    version: int = 1


def resolve(conflict: Conflict, resolution: Resolution) -> Conflict:
    """The conflict as staff have settled it. Raises ConflictResolved if they had."""
    if conflict.resolution is not None:
        raise ConflictResolved
    return replace(conflict, resolution=resolution, version=conflict.version + 1)
