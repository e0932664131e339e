"""Join the queue of a branch that is full."""

from dataclasses import dataclass
from datetime import datetime

from services.notices.domain import occupancy as rules
from services.notices.usecases.change_occupancy import Inside, open_branch, save
from services.notices.usecases.enter_branch import branch_of
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class JoinQueue:
    """One more person in the queue of the branch with this venue code."""

    venue: str
    local: datetime
    """Time in the library's time zone."""


@dataclass(frozen=True)
class Queued:
    """A ticket of the queue, as it was given."""

    id: str
    number: int
    position: int
    wait_minutes: int | None


def join_queue(work: Work, command: JoinQueue) -> Queued:
    """Give a ticket. Raises NoSuchVenue, BranchIsClosed, NotFull or QueueFull."""
    found: Inside = open_branch(work, branch_of(work, command.venue), command.local)
    ticket_id = new_id()
    now = rules.wait(found.occupancy, ticket_id, found.capacity, work.now)
    save(work, found, now)
    position = now.position(ticket_id) or 0
    wait = rules.minutes_to_wait(now, position, work.now)
    return Queued(ticket_id, now.tickets, position, wait)
