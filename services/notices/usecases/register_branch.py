"""Register a branch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from services.notices import store
from services.notices.domain.branch import Branch, register
from services.notices.domain.hours import Hours
from services.notices.domain.refusals import BranchExists
from services.notices.usecases.publish_branch import registered
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
    if store.branches.get(work, command.code):
        raise BranchExists(command.code)
    branch = register(
        command.code, command.name, command.kind, command.hours, command.today, names=command.names
    )
    store.branches.add(work, branch)
    work.record(registered(branch))
    return branch
