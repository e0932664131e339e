"""Count visitors, let them queue, enter and leave, and trace visits."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime

from services.notices.branches import store as branches_store
from services.notices.branches.rules.branch import Branch, day_of, is_open_at
from services.notices.patrons import store as patrons_store
from services.notices.sealing import Master, unwrapped, wrapped_key
from services.notices.visits import refusals, rules, store
from services.notices.visits.rules import (
    DayKey,
    Format,
    Look,
    Occupancy,
    Venue,
    Visit,
    Visitor,
    check_span,
)
from shared.clock import wall_clock
from shared.contracts.notices import BranchOccupancy
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work

CHECK_IN = "check-in"
"""Name of the door at which visitors who register by themselves are counted."""
MOST_SHOWN = 2_000
"""Number of visits that one look may show."""


@dataclass(frozen=True)
class Inside:
    """A branch with its occupancy and its capacity today."""

    branch: Branch
    occupancy: Occupancy
    capacity: int | None
    open: bool


def inside_of(work: Work, code: str, local: datetime) -> Inside:
    """Return a branch with its occupancy at a local time. Raises NoSuchBranch."""
    branch = branches_store.existing(work, code)
    day = local.date()
    occupancy = rules.of_day(store.get_occupancy(work, code), code, day)
    capacity = day_of(branch, day).capacity
    return Inside(branch, occupancy, capacity, is_open_at(branch, local))


def open_branch(work: Work, code: str, local: datetime) -> Inside:
    """Return a branch that people may enter now. Raises NoSuchBranch or BranchIsClosed."""
    found = inside_of(work, code, local)
    if not found.open:
        raise refusals.BranchIsClosed
    return found


def save(work: Work, before: Inside, now: Occupancy) -> Occupancy:
    """Save a changed occupancy, publish it if that is due, and return it.

    Of two writers at once one is run again, so the capacity holds at all doors together.
    """
    version = before.occupancy.version + 1
    if rules.due(now, before.capacity, work.now):
        level = rules.level(now, before.capacity)
        now = replace(
            now, version=version, published_at=work.now, published=level, unpublished=False
        )
        work.record(published(now, before.capacity, work.now))
    else:
        now = replace(now, version=version, unpublished=True)
    store.save_occupancy(work, now)
    return now


def published(occupancy: Occupancy, capacity: int | None, at: datetime) -> BranchOccupancy:
    """Return the event of an occupancy: numbers only."""
    return BranchOccupancy(
        version=occupancy.version,
        branch=occupancy.id,
        day=occupancy.day,
        at=at,
        inside=occupancy.inside,
        capacity=capacity,
        level=rules.level(occupancy, capacity),
        waiting=occupancy.waiting,
        entered=occupancy.entered,
    )


def count_visitors(
    work: Work, *, branch: str, door: str, entered: int, left: int, local: datetime
) -> Inside:
    """Count those who leave, then all who enter or none of them.

    Raises NoSuchBranch, TooManyDoors; BranchIsClosed or BranchFull if somebody enters.
    """
    look = open_branch if entered else inside_of
    found = look(work, branch, local)
    now = found.occupancy
    if left:
        now = rules.leave(now, left, found.capacity, work.now, door)
    if entered:
        now = rules.enter(now, entered, found.capacity, work.now, door)
    saved = save(work, found, now)
    return Inside(found.branch, saved, found.capacity, found.open)


def settle_occupancy(work: Work, branch: str, local: datetime) -> bool:
    """Apply what time alone changes, and return whether anything did.

    A call from the queue lapses, and the next ones are called. After closing time nobody is inside.
    A change is published that had to wait.
    """
    found = inside_of(work, branch, local)
    stored: Occupancy | None = store.get_occupancy(work, branch)
    now = rules.called(found.occupancy, found.capacity, work.now)
    if not found.open:
        now = rules.closed(now)
    waits = now.unpublished and rules.due(now, found.capacity, work.now)
    if now == stored and not waits:
        return False
    save(work, found, now)
    return True


def renew_venue(work: Work, branch: str, code: str) -> Venue:
    """Store the code and return the venue. Raises NoSuchBranch."""
    branches_store.existing(work, branch)
    known = store.get_venue(work, branch)
    venue = Venue(branch, known.version + 1 if known else 1, code)
    store.save_venue(work, venue)
    return venue


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
        raise refusals.VisitsNotKept
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
        patron = patrons_store.get_unless_erased(work, command.patron_id)
        patrons_store.hold(work, patron, command.patron_id)
        holder = store.holder_of(key, command.patron_id)
    visit = Visit(
        id=new_id(),
        version=1,
        branch=code,
        day=day,
        entered_at=work.now,
        door=command.door,
        sealed=store.seal(key, command.visitor),
        recorded_at=wall_clock(),
        holder=holder,
    )
    store.add_visit(work, visit)
    save(work, found, now)
    return Entered(visit.id, code, visit.entered_at)


def branch_of(work: Work, venue: str) -> str:
    """Return the code of the branch with a venue code. Raises NoSuchVenue."""
    found = or_refuse(store.venue_with(work, venue), refusals.NoSuchVenue)
    return found.id


def _key(work: Work, master: Master, day: date) -> bytes:
    """Return the key of a day; make it if this is the first visit. Raises VisitsNotKept."""
    known = store.key_of(work, day)
    if known is None:
        known = DayKey(day.isoformat(), wrapped_key(master), wall_clock())
        store.add_key(work, known)
    return or_refuse(unwrapped(master, known.wrapped), refusals.VisitsNotKept)


def leave_branch(work: Work, visit_id: str, local: datetime) -> Entered:
    """Count the visitor out. Repeats change nothing. Raises NoSuchVisit, also after its day."""
    visit = store.get_visit(work, visit_id)
    if visit is None or visit.day != local.date():
        raise refusals.NoSuchVisit
    if visit.left_at is None:
        store.save_visit(work, replace(visit, version=visit.version + 1, left_at=work.now))
        found = inside_of(work, visit.branch, local)
        left = rules.leave(found.occupancy, 1, found.capacity, work.now, visit.door)
        save(work, found, left)
    return Entered(visit.id, visit.branch, visit.entered_at)


@dataclass(frozen=True)
class Queued:
    """A ticket of the queue, as it was given."""

    id: str
    number: int
    position: int
    wait_minutes: int | None


def join_queue(work: Work, venue: str, local: datetime) -> Queued:
    """Give a ticket. Raises NoSuchVenue, BranchIsClosed, NotFull or QueueFull."""
    found: Inside = open_branch(work, branch_of(work, venue), local)
    ticket_id = new_id()
    now = rules.wait(found.occupancy, ticket_id, found.capacity, work.now)
    save(work, found, now)
    position = now.position(ticket_id) or 0
    wait = rules.minutes_to_wait(now, position, work.now)
    return Queued(ticket_id, now.tickets, position, wait)


def record_look(
    work: Work,
    *,
    by: str,
    name: str,
    branch: str,
    start: datetime,
    until: datetime,
    since: datetime,
    case_number: str,
    reason: str,
    output: Format,
) -> Look:
    """Store the look and return it. Raises NoSuchBranch, BadSpan or TooManyVisits.

    `since` is the begin of the library day of `start`: visits without a known end are looked for
    from there.
    """
    check_span(start, until)
    branches_store.existing(work, branch)
    look = Look(
        id=new_id(),
        at=work.now,
        by=by,
        name=name,
        branch=branch,
        start=start,
        until=until,
        case_number=case_number,
        reason=reason,
        format=output,
        found=0,
    )
    found = store.count_inside(work, since, look)
    if found > MOST_SHOWN:
        raise refusals.TooManyVisits(most=MOST_SHOWN)
    look = replace(look, found=found)
    store.add_look(work, look)
    return look


def forget_visits(work: Work, patron_id: str, master: Master | None) -> int:
    """Delete the visits of an erased patron. Those of a key that is lost can't be read anyway."""
    if master is None:
        return 0
    done = 0
    for wrapped in store.all_keys(work):
        key = unwrapped(master, wrapped.wrapped)
        if key is not None:
            holder = store.holder_of(key, patron_id)
            done += store.delete_of_holder(work, wrapped.id, holder)
    return done
