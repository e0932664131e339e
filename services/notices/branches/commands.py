"""Register and rename branches, and change their hours and delays."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date

from services.notices.branches import store
from services.notices.branches.events import hours_changed, registered
from services.notices.branches.refusals import BranchExists
from services.notices.branches.rules import branch as branch_rules
from services.notices.branches.rules.branch import Branch, register
from services.notices.branches.rules.hours import (
    Hours,
    Period,
    ReadyDelay,
    ServiceHours,
    ServiceName,
    checked_hours,
    set_to,
    with_period,
    without_period,
)
from services.notices.branches.rules.place import Place
from shared.unit_of_work import Work


def register_branch(
    work: Work,
    *,
    code: str,
    name: str,
    kind: str,
    hours: tuple[Hours, ...],
    today: date,
    names: Mapping[str, str],
    place: Place | None = None,
) -> Branch:
    """Register the branch and return it. Raises BranchExists or BadHours."""
    if store.get(work, code):
        raise BranchExists(branch=code)
    branch = replace(register(code, name, kind, hours, today, names=names), place=place)
    store.add(work, branch)
    work.record(registered(branch))
    return branch


def rename_branch(work: Work, code: str, name: str, names: Mapping[str, str]) -> Branch:
    """Change the names, in all languages; return the branch. Raises NoSuchBranch."""
    branch = store.existing(work, code)
    renamed = branch_rules.rename(branch, name, names)
    if renamed != branch:
        store.save(work, renamed)
        work.record(hours_changed(renamed))
    return renamed


def set_place(work: Work, code: str, place: Place) -> Branch:
    """Set where a branch is; return it. No event has that. Raises NoSuchBranch."""
    branch = store.existing(work, code)
    placed = replace(branch, place=place, version=branch.version + 1)
    store.save(work, placed)
    work.record(hours_changed(placed))
    return placed


def change_hours(work: Work, code: str, hours: tuple[Hours, ...], from_: date) -> Branch:
    """Change the hours; return the branch. Raises NoSuchBranch or BadHours."""
    branch = store.existing(work, code)
    changed = branch_rules.change_hours(branch, hours, from_)
    store.save(work, changed)
    work.record(hours_changed(changed))
    return changed


def set_service(work: Work, code: str, service: ServiceName, hours: tuple[Hours, ...]) -> Branch:
    """Set the usual hours; periods stay. Return the branch. Raises NoSuchBranch or BadHours."""
    branch = store.existing(work, code)
    known = {one.service: one for one in branch.service_hours}
    before = known.get(service, ServiceHours(service))
    return _saved(work, branch, replace(before, hours=checked_hours(hours)))


def remove_service(work: Work, code: str, service: ServiceName) -> Branch:
    """Remove the hours of a service; return the branch. Raises NoSuchBranch or NoSuchService."""
    branch = store.existing(work, code)
    changed = branch_rules.remove_service(branch, service)
    store.save(work, changed)
    work.record(hours_changed(changed))
    return changed


def set_period(work: Work, code: str, service_name: ServiceName, period: Period) -> Branch:
    """Set the hours of a period; return the branch.

    Raises NoSuchBranch, NoSuchService, BadHours, BadPeriod or TooManyPeriods.
    """
    branch = store.existing(work, code)
    service = branch.service(service_name)
    return _saved(work, branch, with_period(service, period))


def remove_period(work: Work, code: str, service_name: ServiceName, starts_on: date) -> Branch:
    """Remove a period; return the branch. Raises NoSuchBranch, NoSuchService or NoSuchPeriod."""
    branch = store.existing(work, code)
    service = branch.service(service_name)
    return _saved(work, branch, without_period(service, starts_on))


def _saved(work: Work, branch: Branch, service: ServiceHours) -> Branch:
    changed = branch_rules.set_service(branch, service)
    if changed != branch:
        store.save(work, changed)
        work.record(hours_changed(changed))
    return changed


def set_ready_delay(work: Work, branch: str, minutes: int, librarian: str) -> ReadyDelay:
    """Set the delay and return it; it holds for items that become ready from now on.

    Raises NoSuchBranch.
    """
    store.existing(work, branch)
    before = store.get_ready_delay(work, branch)
    if before is not None and before.minutes == minutes:
        return before
    delay = set_to(before, branch, minutes, librarian, work.now)
    store.save_ready_delay(work, delay)
    return delay
