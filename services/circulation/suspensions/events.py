"""Events of a fine suspension: its snapshot after each change."""

from typing import Any

from services.circulation.rules.suspension import FineSuspension
from shared.contracts.suspensions import FinesResumed, FinesSuspended, SuspensionSnapshot


def snapshot(suspension: FineSuspension) -> SuspensionSnapshot:
    """Return the suspension as a rebuild reads it."""
    return SuspensionSnapshot(**_fields(suspension, suspension))


def suspended(suspension: FineSuspension, before: FineSuspension | None = None) -> FinesSuspended:
    """Return the event of a new or amended suspension; `before` is as it was announced before."""
    return FinesSuspended(**_fields(suspension, before or suspension))


def resumed(suspension: FineSuspension, before: FineSuspension | None = None) -> FinesResumed:
    """Return the event of an ended or withdrawn suspension; `before` is as it was announced."""
    return FinesResumed(**_fields(suspension, before or suspension))


def _fields(suspension: FineSuspension, before: FineSuspension) -> dict[str, Any]:
    """Return the suspension as it is now, and the days of `before` that it replaces."""
    starts_on, resumes_on = before.starts_on, before.resumes_on
    return {
        "version": suspension.version,
        "suspension_id": suspension.id,
        "starts_on": suspension.starts_on,
        "resumes_on": suspension.resumes_on,
        "branches": tuple(sorted(suspension.branches)),
        "kinds": tuple(sorted(suspension.kinds)),
        "reason": suspension.reason,
        "withdrawn_on": suspension.withdrawal.on if suspension.withdrawal else None,
        "previous_starts_on": starts_on if starts_on != suspension.starts_on else None,
        "previous_resumes_on": resumes_on if resumes_on != suspension.resumes_on else None,
    }
