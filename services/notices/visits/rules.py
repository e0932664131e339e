"""Occupancy of branches with their queues, and visits for contact tracing."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from math import ceil
from typing import Literal

from services.notices.visits.refusals import BadSpan, BranchFull, NotFull, QueueFull, TooManyDoors

SLOT = timedelta(minutes=15)
"""Length of the slots that show how full a branch was."""
CALL = timedelta(minutes=10)
"""Time within which somebody who was called from the queue has to enter."""
PUBLISH = timedelta(minutes=1)
"""Shortest time between two events, unless the level changes."""
BUSY_PERCENT = 80
MOST_DOORS = 20
MOST_WAITING = 200

Level = Literal["quiet", "busy", "full"]
"""`busy` from 80 % of the capacity on; without a capacity always `quiet`."""
KEPT_DAYS = 31
"""Number of days for which a visit is kept: its own day and the 30 days after it."""
LONGEST_LOOK = timedelta(hours=24)

Format = Literal["json", "csv"]


@dataclass(frozen=True)
class Slot:
    """A quarter of an hour of a branch's day."""

    at: datetime
    """Its start, UTC."""
    most: int
    """Greatest number of people inside at one time."""
    inside: int = 0
    """Number of people inside at its end."""
    left: int = 0


@dataclass(frozen=True)
class Door:
    """The people counted at one door today."""

    name: str
    entered: int = 0
    left: int = 0


@dataclass(frozen=True)
class Ticket:
    """One person's place in the queue outside; it names nobody."""

    id: str
    number: int
    called_at: datetime | None = None


@dataclass(frozen=True)
class Occupancy:
    """The occupancy of a branch; `version` counts its changes on all days."""

    id: str
    """The branch code."""
    version: int
    day: date
    inside: int = 0
    entered: int = 0
    """Number of people who have entered today."""
    doors: tuple[Door, ...] = ()
    slots: tuple[Slot, ...] = ()
    """Only those in which something was counted, oldest first."""
    queue: tuple[Ticket, ...] = ()
    """Tickets in their order: those that were called come first."""
    tickets: int = 0
    """Number of tickets given today."""
    published_at: datetime | None = None
    """Business time of the last event; None if this day has none yet."""
    published: Level | None = None
    """Level in the last event."""
    unpublished: bool = False
    """True if something has changed since the last event."""

    @property
    def called(self) -> int:
        """Number of people who were called from the queue and have not entered yet."""
        return sum(ticket.called_at is not None for ticket in self.queue)

    @property
    def waiting(self) -> int:
        """Number of people who wait to be called."""
        return len(self.queue) - self.called

    def position(self, ticket_id: str) -> int | None:
        """Return the place of a ticket among those that wait; 0: called; None: no such ticket."""
        for place, ticket in enumerate(self.queue, 1):
            if ticket.id == ticket_id:
                return 0 if ticket.called_at else place - self.called
        return None


def of_day(known: Occupancy | None, branch: str, day: date) -> Occupancy:
    """Return the occupancy of a day; an empty one if the stored one is of another day."""
    if known is not None and known.day == day:
        return known
    return Occupancy(branch, 0 if known is None else known.version, day)


def free(occupancy: Occupancy, capacity: int | None) -> int | None:
    """Return the number of people who may enter without a ticket; None: no limit."""
    if capacity is None:
        return None
    return max(0, capacity - occupancy.inside - occupancy.called)


def level(occupancy: Occupancy, capacity: int | None) -> Level:
    """Return how full the branch is."""
    room = free(occupancy, capacity)
    if capacity is None or room is None:
        return "quiet"
    if not room:
        return "full"
    return "busy" if occupancy.inside * 100 >= capacity * BUSY_PERCENT else "quiet"


def enter(
    occupancy: Occupancy,
    people: int,
    capacity: int | None,
    at: datetime,
    door: str,
    *,
    ticket_id: str | None = None,
) -> Occupancy:
    """Return the occupancy with `people` more inside, all or none of them.

    A ticket that was called is used up. Raises BranchFull or TooManyDoors.
    """
    now = called(occupancy, capacity, at)
    if ticket_id and now.position(ticket_id) == 0:
        queue = tuple(ticket for ticket in now.queue if ticket.id != ticket_id)
        now = replace(now, queue=queue)
    room = free(now, capacity)
    if room is not None and people > room:
        raise BranchFull(free=room, wait_minutes=minutes_to_wait(now, now.waiting + 1, at))
    now = replace(now, inside=now.inside + people, entered=now.entered + people)
    return _counted(_at_door(now, door, entered=people), at)


def leave(
    occupancy: Occupancy, people: int, capacity: int | None, at: datetime, door: str
) -> Occupancy:
    """Return the occupancy with `people` fewer inside, at least 0; the queue moves up.

    Raises TooManyDoors.
    """
    gone = min(people, occupancy.inside)
    now = _at_door(replace(occupancy, inside=occupancy.inside - gone), door, left=gone)
    return called(_counted(now, at, left=gone), capacity, at)


def wait(occupancy: Occupancy, ticket_id: str, capacity: int | None, at: datetime) -> Occupancy:
    """Return the occupancy with one more person in its queue. Raises NotFull or QueueFull."""
    now = called(occupancy, capacity, at)
    if free(now, capacity) != 0:
        raise NotFull
    if len(now.queue) >= MOST_WAITING:
        raise QueueFull
    ticket = Ticket(ticket_id, now.tickets + 1)
    return replace(now, queue=(*now.queue, ticket), tickets=ticket.number)


def called(occupancy: Occupancy, capacity: int | None, at: datetime) -> Occupancy:
    """Return the occupancy without tickets whose call has lapsed, and with the next ones called.

    The same one if nothing changes.
    """
    queue = [one for one in occupancy.queue if not one.called_at or at < one.called_at + CALL]
    held = sum(ticket.called_at is not None for ticket in queue)
    room = len(queue) if capacity is None else max(0, capacity - occupancy.inside - held)
    moved = [
        replace(ticket, called_at=at)
        if ticket.called_at is None and place < held + room
        else ticket
        for place, ticket in enumerate(queue)
    ]
    if tuple(moved) == occupancy.queue:
        return occupancy
    return replace(occupancy, queue=tuple(moved))


def closed(occupancy: Occupancy) -> Occupancy:
    """Return the occupancy after closing time: nobody is inside, and nobody waits."""
    return replace(occupancy, inside=0, queue=())


def minutes_to_wait(occupancy: Occupancy, position: int, at: datetime) -> int | None:
    """Return an estimate for a place in the queue, by those who left within the last hour.

    None if nobody has left in that time.
    """
    left = sum(slot.left for slot in occupancy.slots if slot.at > at - timedelta(hours=1))
    return ceil(position * 60 / left) if left else None


def due(occupancy: Occupancy, capacity: int | None, at: datetime) -> bool:
    """Return whether an event is due: the level has changed, or PUBLISH has passed since the last.

    So a busy door does not publish an event for each person.
    """
    if occupancy.published_at is None or level(occupancy, capacity) != occupancy.published:
        return True
    return at >= occupancy.published_at + PUBLISH


def _counted(occupancy: Occupancy, at: datetime, *, left: int = 0) -> Occupancy:
    """Return the occupancy with the number of people inside noted in the slot of `at`."""
    start = at - (at - datetime.min.replace(tzinfo=at.tzinfo)) % SLOT
    slots = occupancy.slots
    last = slots[-1] if slots and slots[-1].at == start else Slot(start, 0)
    slot = Slot(start, max(last.most, occupancy.inside), occupancy.inside, last.left + left)
    earlier = slots[:-1] if slots and slots[-1].at == start else slots
    return replace(occupancy, slots=(*earlier, slot))


def _at_door(occupancy: Occupancy, name: str, *, entered: int = 0, left: int = 0) -> Occupancy:
    doors = {door.name: door for door in occupancy.doors}
    door = doors.get(name, Door(name))
    doors[name] = replace(door, entered=door.entered + entered, left=door.left + left)
    if len(doors) > MOST_DOORS:
        raise TooManyDoors
    return replace(occupancy, doors=tuple(doors.values()))


@dataclass(frozen=True)
class Visitor:
    """The details of a visitor; no log or trace contains them."""

    name: str = field(repr=False)
    phone: str = field(repr=False)


@dataclass(frozen=True)
class Visit:
    """One person's visit to a branch."""

    id: str
    version: int
    branch: str
    day: date
    entered_at: datetime
    door: str
    sealed: bytes = field(repr=False)
    """The visitor, sealed with the key of the day."""
    recorded_at: datetime
    """Wall clock; the database deletes the visit KEPT_DAYS after it at the latest."""
    holder: str | None = field(default=None, repr=False)
    """Digest of the patron's id under the key of the day, to find it if the patron is erased."""
    left_at: datetime | None = None
    """None: still inside, or the branch closed without a sign that the visitor left."""


@dataclass(frozen=True)
class DayKey:
    """The key of one day, wrapped with the master key in the settings."""

    id: str
    """The day (ISO 8601)."""
    wrapped: bytes = field(repr=False)
    recorded_at: datetime


@dataclass(frozen=True)
class Venue:
    """The code on the poster at the doors of a branch, which opens its check-in page."""

    id: str
    """The branch code."""
    version: int
    code: str


@dataclass(frozen=True)
class Look:
    """One look at the visits of a branch; it is recorded before anything is shown."""

    id: str
    at: datetime
    by: str
    """Id of the account that looked."""
    name: str
    """Name of the account that looked."""
    branch: str
    start: datetime
    until: datetime
    case_number: str
    reason: str
    format: Format
    found: int
    """Number of visits shown."""


def last_destroyed(today: date) -> date:
    """Return the last day whose visits are no longer kept on `today`."""
    return today - timedelta(days=KEPT_DAYS)


def check_span(start: datetime, until: datetime) -> None:
    """Raise BadSpan unless a look at this span of time is possible."""
    if not start < until <= start + LONGEST_LOOK:
        raise BadSpan
