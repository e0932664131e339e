"""A branch as the events that publish it say it."""

from datetime import date
from typing import Any

from services.notices.domain.branch import Branch, Hours
from shared.contracts.notices import (
    BranchClosed,
    BranchHoursChanged,
    BranchRegistered,
    BranchReopened,
)


def registered(branch: Branch) -> BranchRegistered:
    """That a branch is new."""
    return BranchRegistered.model_validate(_snapshot(branch))


def hours_changed(branch: Branch) -> BranchHoursChanged:
    """That the weekly hours of a branch changed."""
    return BranchHoursChanged.model_validate(_snapshot(branch))


def closed(branch: Branch, closure_id: str) -> BranchClosed:
    """That a closure covers a branch."""
    return BranchClosed.model_validate(_snapshot(branch) | {"closure_id": closure_id})


def reopened(branch: Branch, closure_id: str, reopened_on: date) -> BranchReopened:
    """That the reopening of a branch is announced."""
    return BranchReopened.model_validate(
        _snapshot(branch) | {"closure_id": closure_id, "reopened_on": reopened_on}
    )


def _snapshot(branch: Branch) -> dict[str, Any]:
    latest = branch.terms[-1] if branch.terms else None
    return {
        "version": branch.version,
        "branch": branch.id,
        "name": branch.name,
        "kind": branch.kind,
        "hours": [_hours(hours) for hours in branch.hours],
        "closures": [
            {
                "closure_id": closure.closure_id,
                "from": closure.starts_on,
                "reason": closure.reason,
                "announcements": [
                    {"version": a.version, "at": a.at, "reopened_on": a.reopened_on}
                    for a in closure.announcements
                ],
            }
            for closure in branch.closures
        ],
        "services": latest.services if latest else (),
        "measures": latest.measures if latest else (),
        "capacity": latest.capacity if latest else None,
    }


def _hours(hours: Hours) -> dict[str, Any]:
    return {"weekday": hours.weekday, "opens": hours.opens, "closes": hours.closes}
