"""Give a branch a new venue code; posters with the old one no longer work."""

from dataclasses import dataclass

from services.notices import store
from services.notices.domain.refusals import NoSuchBranch
from services.notices.domain.visit import Venue
from shared.unit_of_work import Work


@dataclass(frozen=True)
class RenewVenue:
    """The branch, and the code that it gets."""

    branch: str
    code: str


def renew_venue(work: Work, command: RenewVenue) -> Venue:
    """Store the code and return the venue. Raises NoSuchBranch."""
    if store.branches.get(work, command.branch) is None:
        raise NoSuchBranch([command.branch])
    known = store.occupancy.get_venue(work, command.branch)
    venue = Venue(command.branch, known.version + 1 if known else 1, command.code)
    store.occupancy.save_venue(work, venue)
    return venue
