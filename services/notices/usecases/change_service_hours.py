"""Change the hours of a branch's services: the usual ones, and those of periods."""

from dataclasses import dataclass, replace
from datetime import date

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch
from services.notices.domain.hours import (
    Hours,
    Period,
    ServiceHours,
    ServiceName,
    checked_hours,
    with_period,
    without_period,
)
from services.notices.domain.refusals import NoSuchBranch
from services.notices.usecases.publish_branch import hours_changed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class SetService:
    """The usual hours of a service of a branch."""

    code: str
    service: ServiceName
    hours: tuple[Hours, ...]


@dataclass(frozen=True)
class RemoveService:
    """A service that no longer has hours of its own."""

    code: str
    service: ServiceName


@dataclass(frozen=True)
class SetPeriod:
    """A period in which a service has other hours."""

    code: str
    service: ServiceName
    period: Period


@dataclass(frozen=True)
class RemovePeriod:
    """The first day of a period that is removed."""

    code: str
    service: ServiceName
    starts_on: date


def set_service(work: Work, command: SetService) -> Branch:
    """Set the usual hours; periods stay. Return the branch. Raises NoSuchBranch or BadHours."""
    branch = _branch(work, command.code)
    known = {one.service: one for one in branch.service_hours}
    before = known.get(command.service, ServiceHours(command.service))
    return _saved(work, branch, replace(before, hours=checked_hours(command.hours)))


def remove_service(work: Work, command: RemoveService) -> Branch:
    """Remove the hours of a service; return the branch. Raises NoSuchBranch or NoSuchService."""
    branch = _branch(work, command.code)
    changed = rules.remove_service(branch, command.service)
    store.branches.save(work, changed)
    work.record(hours_changed(changed))
    return changed


def set_period(work: Work, command: SetPeriod) -> Branch:
    """Set the hours of a period; return the branch.

    Raises NoSuchBranch, NoSuchService, BadHours, BadPeriod or TooManyPeriods.
    """
    branch = _branch(work, command.code)
    service = branch.service(command.service)
    return _saved(work, branch, with_period(service, command.period))


def remove_period(work: Work, command: RemovePeriod) -> Branch:
    """Remove a period; return the branch. Raises NoSuchBranch, NoSuchService or NoSuchPeriod."""
    branch = _branch(work, command.code)
    service = branch.service(command.service)
    return _saved(work, branch, without_period(service, command.starts_on))


def _branch(work: Work, code: str) -> Branch:
    branch = store.branches.get(work, code)
    if branch is None:
        raise NoSuchBranch([code])
    return branch


def _saved(work: Work, branch: Branch, service: ServiceHours) -> Branch:
    changed = rules.set_service(branch, service)
    if changed != branch:
        store.branches.save(work, changed)
        work.record(hours_changed(changed))
    return changed
