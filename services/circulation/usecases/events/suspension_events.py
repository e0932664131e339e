"""Publish a fine suspension's snapshot."""

from services.circulation.domain.suspension import FineSuspension
from shared.contracts.circulation import SuspensionSnapshot
from shared.unit_of_work import Work


def tell(
    work: Work,
    kind: type[SuspensionSnapshot],
    suspension: FineSuspension,
    before: FineSuspension | None = None,
) -> None:
    """Record an event of `kind` with the suspension as it is now and the days that it replaces.

    `before` is the suspension as it was announced before this change.
    """
    work.record(snapshot(kind, suspension, before))


def snapshot(
    kind: type[SuspensionSnapshot],
    suspension: FineSuspension,
    before: FineSuspension | None = None,
) -> SuspensionSnapshot:
    """Return the event of `kind` with the suspension as it is now."""
    before = before or suspension
    starts_on, resumes_on = before.starts_on, before.resumes_on
    return kind(
        version=suspension.version,
        suspension_id=suspension.id,
        starts_on=suspension.starts_on,
        resumes_on=suspension.resumes_on,
        branches=tuple(sorted(suspension.branches)),
        kinds=tuple(sorted(suspension.kinds)),
        reason=suspension.reason,
        withdrawn_on=suspension.withdrawal.on if suspension.withdrawal else None,
        previous_starts_on=starts_on if starts_on != suspension.starts_on else None,
        previous_resumes_on=resumes_on if resumes_on != suspension.resumes_on else None,
    )
