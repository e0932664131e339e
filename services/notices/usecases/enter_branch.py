"""Register a visitor who enters a branch."""

from dataclasses import dataclass, field
from datetime import date, datetime

from services.notices import sealing, store
from services.notices.domain import occupancy as rules
from services.notices.domain.refusals import NoSuchPatron
from services.notices.domain.visit import DayKey, Visit, Visitor
from services.notices.domain.visit_refusals import NoSuchVenue, VisitsNotKept
from services.notices.sealing import Master
from services.notices.usecases.change_occupancy import open_branch, save
from shared.clock import wall_clock
from shared.ids import new_id
from shared.unit_of_work import Work

CHECK_IN = "check-in"
"""Name of the door at which visitors who register by themselves are counted."""


@dataclass(frozen=True)
class EnterBranch:
    """A visitor who enters: with the code of a poster at the door, or registered by staff."""

    visitor: Visitor
    local: datetime
    """Time in the library's time zone."""
    master: Master | None = field(repr=False)
    venue: str | None = None
    branch: str = ""
    """The branch, if there is no venue code."""
    door: str = CHECK_IN
    ticket_id: str | None = None
    patron_id: str | None = None


@dataclass(frozen=True)
class Entered:
    """A visit that has begun, without anything about the visitor."""

    id: str
    branch: str
    entered_at: datetime


def enter_branch(work: Work, command: EnterBranch) -> Entered:
    """Count the visitor in and keep their details sealed; return the visit.

    Raises VisitsNotKept, NoSuchVenue, NoSuchBranch, NoSuchPatron, BranchIsClosed, BranchFull or
    TooManyDoors. Writes the record of a patron, so that no erasure can commit meanwhile and leave
    the visit behind.
    """
    if command.master is None:
        raise VisitsNotKept
    code = command.branch
    if command.venue is not None:
        code = branch_of(work, command.venue)
    found = open_branch(work, code, command.local)
    now = rules.enter(
        found.occupancy, 1, found.capacity, work.now, command.door, ticket_id=command.ticket_id
    )
    day = command.local.date()
    key = _key(work, command.master, day)
    holder = None
    if command.patron_id is not None:
        patron = store.patrons.get(work, command.patron_id)
        if patron is not None and patron.erased:
            raise NoSuchPatron
        store.patrons.hold(work, patron, command.patron_id)
        holder = sealing.holder_of(key, command.patron_id)
    visit = Visit(
        id=new_id(),
        version=1,
        branch=code,
        day=day,
        entered_at=work.now,
        door=command.door,
        sealed=sealing.seal(key, command.visitor),
        recorded_at=wall_clock(),
        holder=holder,
    )
    store.visits.add(work, visit)
    save(work, found, now)
    return Entered(visit.id, code, visit.entered_at)


def branch_of(work: Work, venue: str) -> str:
    """Return the code of the branch with a venue code. Raises NoSuchVenue."""
    found = store.occupancy.venue_with(work, venue)
    if found is None:
        raise NoSuchVenue
    return found.id


def _key(work: Work, master: Master, day: date) -> bytes:
    """Return the key of a day; make it if this is the first visit. Raises VisitsNotKept."""
    known = store.visits.key_of(work, day)
    if known is None:
        known = DayKey(day.isoformat(), sealing.wrapped_key(master), wall_clock())
        store.visits.add_key(work, known)
    key = sealing.unwrapped(master, known.wrapped)
    if key is None:
        raise VisitsNotKept
    return key
