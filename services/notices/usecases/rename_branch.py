"""Change the names of a branch."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch
from services.notices.domain.refusals import NoSuchBranch
from services.notices.usecases.publish_branch import hours_changed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenameBranch:
    """A branch and its new names."""

    code: str
    name: str
    names: Mapping[str, str]
    """The name in other languages; a language that is not named loses its name."""


def rename_branch(work: Work, command: RenameBranch) -> Branch:
    """Change the names; return the branch. Raises NoSuchBranch."""
    branch = store.branches.get(work, command.code)
    if branch is None:
        raise NoSuchBranch([command.code])
    renamed = rules.rename(branch, command.name, command.names)
    if renamed != branch:
        store.branches.save(work, renamed)
        work.record(hours_changed(renamed))
    return renamed
