"""Set the delay of a branch before patrons are told that an item is ready."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.ready_delay import ReadyDelay, set_to
from services.notices.domain.refusals import NoSuchBranch
from shared.unit_of_work import Work


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
    if store.branches.get(work, command.branch) is None:
        raise NoSuchBranch([command.branch])
    before = store.ready_delays.get(work, command.branch)
    if before is not None and before.minutes == command.minutes:
        return before
    delay = set_to(before, command.branch, command.minutes, command.librarian, work.now)
    store.ready_delays.save(work, delay)
    return delay
