"""Publish a fine suspension's snapshot."""

from services.circulation.domain.suspension import FineSuspension
from shared.contracts.circulation import SuspensionSnapshot
from shared.unit_of_work import Work


def tell(work: Work, kind: type[SuspensionSnapshot], suspension: FineSuspension) -> None:
    """Record an event of `kind` with the suspension as it is now."""
    work.record(snapshot(kind, suspension))


def snapshot(kind: type[SuspensionSnapshot], suspension: FineSuspension) -> SuspensionSnapshot:
    """The suspension as it is now."""
    return kind(
        version=suspension.version,
        suspension_id=suspension.id,
        starts_on=suspension.starts_on,
        resumes_on=suspension.resumes_on,
        branches=tuple(sorted(suspension.branches)),
        kinds=tuple(sorted(suspension.kinds)),
        reason=suspension.reason,
        withdrawn_on=suspension.withdrawal.on if suspension.withdrawal else None,
    )
