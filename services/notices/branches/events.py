"""Events of branches."""

from datetime import date
from typing import Any

from services.notices.branches.rules.branch import Announcement, Branch
from services.notices.branches.rules.hours import Hours
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchHoursChanged,
    BranchRegistered,
    BranchReopened,
    ClosureChange,
)


def registered(branch: Branch) -> BranchRegistered:
    """Return the event of a new branch."""
    return BranchRegistered.model_validate(_snapshot(branch))


def hours_changed(branch: Branch) -> BranchHoursChanged:
    """Return the event of a branch's changed hours or names."""
    return BranchHoursChanged.model_validate(_snapshot(branch))


def closed(branch: Branch, closure_id: str) -> BranchClosed:
    """Return the event of a closure that covers a branch."""
    return BranchClosed.model_validate(_snapshot(branch) | {"closure_id": closure_id})


def reopened(branch: Branch, closure_id: str, reopened_on: date) -> BranchReopened:
    """Return the event of a branch's announced reopening."""
    return BranchReopened.model_validate(
        _snapshot(branch) | {"closure_id": closure_id, "reopened_on": reopened_on}
    )


def closure_changed(
    branch: Branch, closure_id: str, change: ClosureChange, reason: str | None = None
) -> BranchClosureChanged:
    """Return the event of a branch's changed closure; `reason` says why it was withdrawn."""
    return BranchClosureChanged.model_validate(
        _snapshot(branch) | {"closure_id": closure_id, "change": change, "change_reason": reason}
    )


def _snapshot(branch: Branch) -> dict[str, Any]:
    latest = branch.terms[-1] if branch.terms else None
    return {
        "version": branch.version,
        "branch": branch.id,
        "name": branch.name,
        "kind": branch.kind,
        "hours": _hours(branch.hours),
        "hours_history": [
            {"version": week.version, "from": week.from_, "hours": _hours(week.hours)}
            for week in branch.weekly
        ],
        "closures": [
            {
                "closure_id": closure.closure_id,
                "from": closure.now.starts_on,
                "reason": closure.now.reason,
                "extra_renewals": closure.extra_renewals,
                "announcements": [
                    _announcement(announcement) for announcement in closure.announcements
                ],
            }
            for closure in branch.closures
        ],
        "services": latest.services if latest else (),
        "measures": latest.measures if latest else (),
        "capacity": latest.capacity if latest else None,
        "names": branch.names,
        "service_hours": [
            {
                "service": one.service,
                "hours": _hours(one.hours),
                "periods": [
                    {
                        "from": period.starts_on,
                        "until": period.ends_on,
                        "reason": period.reason,
                        "hours": _hours(period.hours),
                    }
                    for period in one.periods
                ],
            }
            for one in branch.service_hours
        ],
    }


def _announcement(announcement: Announcement) -> dict[str, Any]:
    special = announcement.terms.hours if announcement.terms else None
    return {
        "version": announcement.version,
        "at": announcement.at,
        "from": announcement.starts_on,
        "reopened_on": announcement.reopened_on,
        "reason": announcement.reason,
        "in_error": announcement.withdrawn == "in-error",
        "stagger_days": announcement.terms.stagger_days if announcement.terms else 1,
        "on_terms": announcement.terms is not None,
        "special_hours": None if special is None else _hours(special),
    }


def _hours(hours: tuple[Hours, ...]) -> list[dict[str, Any]]:
    return [{"weekday": h.weekday, "opens": h.opens, "closes": h.closes} for h in hours]
