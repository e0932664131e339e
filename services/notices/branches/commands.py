"""Register and rename branches, and change their hours and delays."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

from services.notices.branches import store
from services.notices.branches.events import hours_changed, registered
from services.notices.branches.refusals import BranchExists, NoSuchBranch
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
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RegisterBranch:
    """A new branch and its weekly hours."""

    code: str
    name: str
    kind: str
    hours: tuple[Hours, ...]
    today: date
    names: Mapping[str, str] = field(default_factory=dict)
    """Its name in other languages."""


def register_branch(work: Work, command: RegisterBranch) -> Branch:
    """Register the branch and return it. Raises BranchExists or BadHours."""
    if store.get(work, command.code):
        raise BranchExists(branch=command.code)
    branch = register(
        command.code, command.name, command.kind, command.hours, command.today, names=command.names
    )
    store.add(work, branch)
    work.record(registered(branch))
    return branch


@dataclass(frozen=True)
class RenameBranch:
    """A branch and its new names."""

    code: str
    name: str
    names: Mapping[str, str]
    """The name in other languages; a language that is not named loses its name."""


def rename_branch(work: Work, command: RenameBranch) -> Branch:
    """Change the names; return the branch. Raises NoSuchBranch."""
    branch = store.get(work, command.code)
    if branch is None:
        raise NoSuchBranch(branches=[command.code])
    renamed = branch_rules.rename(branch, command.name, command.names)
    if renamed != branch:
        store.save(work, renamed)
        work.record(hours_changed(renamed))
    return renamed


@dataclass(frozen=True)
class ChangeHours:
    """New weekly hours of one branch, from a day on."""

    code: str
    hours: tuple[Hours, ...]
    from_: date


def change_hours(work: Work, command: ChangeHours) -> Branch:
    """Change the hours; return the branch. Raises NoSuchBranch or BadHours."""
    branch = store.get(work, command.code)
    if branch is None:
        raise NoSuchBranch(branches=[command.code])
    changed = branch_rules.change_hours(branch, command.hours, command.from_)
    store.save(work, changed)
    work.record(hours_changed(changed))
    return changed


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
    changed = branch_rules.remove_service(branch, command.service)
    store.save(work, changed)
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
    branch = store.get(work, code)
    if branch is None:
        raise NoSuchBranch(branches=[code])
    return branch


def _saved(work: Work, branch: Branch, service: ServiceHours) -> Branch:
    changed = branch_rules.set_service(branch, service)
    if changed != branch:
        store.save(work, changed)
        work.record(hours_changed(changed))
    return changed


@dataclass(frozen=True)
class SetReadyDelay:
    """The minutes for one branch, and the name of the librarian who sets them."""

    branch: str
    minutes: int
    librarian: str


def set_ready_delay(work: Work, command: SetReadyDelay) -> ReadyDelay:
    """Set the delay and return it; it holds for items that become ready from now on.

    Raises NoSuchBranch.
    """
    if store.get(work, command.branch) is None:
        raise NoSuchBranch(branches=[command.branch])
    before = store.get_ready_delay(work, command.branch)
    if before is not None and before.minutes == command.minutes:
        return before
    delay = set_to(before, command.branch, command.minutes, command.librarian, work.now)
    store.save_ready_delay(work, delay)
    return delay
