"""Change the weekly hours of a branch."""

from dataclasses import dataclass
from datetime import date

from services.notices import store
from services.notices.domain import branch as rules
from services.notices.domain.branch import Branch
from services.notices.domain.hours import Hours
from services.notices.domain.refusals import NoSuchBranch
from services.notices.usecases.publish_branch import hours_changed
from shared.unit_of_work import Work


@dataclass(frozen=True)
class ChangeHours:
    """New weekly hours of one branch, from a day on."""

    code: str
    hours: tuple[Hours, ...]
    from_: date


def change_hours(work: Work, command: ChangeHours) -> Branch:
    """Change the hours; return the branch. Raises NoSuchBranch or BadHours."""
    branch = store.branches.get(work, command.code)
    if branch is None:
        raise NoSuchBranch([command.code])
    changed = rules.change_hours(branch, command.hours, command.from_)
    store.branches.save(work, changed)
    work.record(hours_changed(changed))
    return changed
