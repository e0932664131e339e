"""Register a branch."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain.branch import Branch, Hours, register
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


async def register_branch(work: Work, command: RegisterBranch) -> Branch:
    """Register the branch and return it. Raises BranchExists or BadHours."""
    if await store.branches.get(work, command.code):
        raise BranchExists(command.code)
    branch = register(command.code, command.name, command.kind, command.hours, command.today)
    await store.branches.add(work, branch)
    work.record(registered(branch))
    return branch
