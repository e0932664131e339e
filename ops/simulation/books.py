"""The library's books of a simulation: copies, holds, loans and money, as they are now.

Only what is open is kept, so memory grows with the loans and holds at one time, not with the days.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

from ops.simulation.city import City
from services.circulation.charges import events as charges_events
from services.circulation.holds import events as holds_events
from services.circulation.rules import due_date as due_date_rules
from services.circulation.rules.branch_calendar import (
    AnnouncedClosure,
    AnnouncedWeek,
    Announcement,
    BranchCalendar,
)
from services.circulation.rules.charge import Charge
from services.circulation.rules.copy import AWAITED_STATES, Copy, CopyState
from services.circulation.rules.fines import Statement
from services.circulation.rules.hold import Hold, HoldState
from services.circulation.rules.ledger import Occasion, Posting, pay, waive
from services.circulation.rules.loan import Loan
from services.circulation.rules.patron import Borrower, owes_too_much
from services.circulation.rules.policy import HONG_KONG
from services.circulation.rules.suspension import FineSuspension
from services.events.activities.rules import Activity, Places, Registration
from shared.contracts import Event
from shared.contracts.circulation import Standing

STAFF = "staff"
"""Author of what the staff decide."""
_NOTHING: Mapping[str, str] = {}


@dataclass(slots=True)
class OpenLoan:
    """A loan with the number of its patron."""

    loan: Loan
    patron: int


@dataclass(slots=True)
class OpenHold:
    """A hold with the numbers of its patron, its title and its copy, if it has one."""

    hold: Hold
    patron: int
    title: int
    copy: int | None = None


@dataclass(slots=True)
class OpenActivity:
    """An activity whose day is not over, with its places."""

    activity: Activity
    places: Places
    registrations: dict[int, Registration] = field(default_factory=dict)
    """Registrations by the number of their patron, in the order of registering."""


class Books:
    """All that is lent, reserved, owed and offered, and the events of its changes."""

    def __init__(self, city: City) -> None:
        self.city = city
        self.loans: dict[int, OpenLoan] = {}
        """Open loans by the number of the copy."""
        self.holds: dict[str, OpenHold] = {}
        """Open holds by id."""
        self.charges: dict[int, dict[str, tuple[Charge, str | None]]] = {}
        """Unpaid charges of each patron by id, with the id of their title."""
        self.calendars = {
            place.code: BranchCalendar(
                id=place.code,
                version=1,
                kind=place.kind,
                weeks=(AnnouncedWeek(1, date.min, place.closed),),
            )
            for place in city.places
        }
        self.suspensions: list[FineSuspension] = []
        self.activities: dict[str, OpenActivity] = {}
        """Activities whose day is not over, by id."""
        self.no_shows = 0
        """Places of activities of past days whose patrons did not come."""
        self.awaited: list[int] = []
        """Copies that began to wait for a scan since the list was last emptied."""
        self.ready: list[str] = []
        """Ids of holds that became ready since the list was last emptied."""
        self.queues: dict[int, list[str]] = {}
        """Ids of open holds in order of place, by title."""
        self.placed: dict[int, int] = {}
        """Number of holds ever placed on a title."""
        self._of_patron: dict[int, dict[int, str]] = {}
        """Ids of each patron's open holds, by title."""
        self._copies: dict[int, Copy] = {}
        """Copies that do not lie in their own branches, as all do at first."""
        self._borrowers: dict[int, Borrower] = {}
        self._recorded: list[Event] = []
        self._made = 0

    def record(self, event: Event) -> None:
        """Record an event."""
        self._recorded.append(event)

    def take_recorded(self) -> list[Event]:
        """Return the events recorded since the last call."""
        taken, self._recorded = self._recorded, []
        return taken

    def identifier(self, at: datetime) -> str:
        """Return a new id, always the same in equal simulations."""
        self._made += 1
        return self.city.plan.identifier(at, "made", self._made)

    def borrower(self, patron: int) -> Borrower:
        """Return the counts of a patron."""
        return self._borrowers.get(patron) or Borrower(id=self.city.patron_id(patron))

    def count_hold(self, patron: int, change: int) -> None:
        """Count an open hold more or less."""
        self._borrowers[patron] = self.borrower(patron).after(holds=change)

    def copy(self, number: int) -> Copy:
        """Return a copy as it is now."""
        return self._copies.get(number) or self.city.copy(number)

    def copies_of(self, title: int) -> Iterator[tuple[int, Copy]]:
        """Yield the copies of a title with their numbers."""
        for number in self.city.copies_of(title):
            yield number, self.copy(number)

    def set_copy(self, number: int, copy: Copy) -> None:
        """Keep a changed copy, unless it lies in its own branch again, as at first."""
        if copy.state is CopyState.AVAILABLE and copy.at_branch == copy.branch_code:
            self._copies.pop(number, None)
            return
        self._copies[number] = copy
        if copy.state in AWAITED_STATES:
            self.awaited.append(number)

    def holds_of(self, patron: int) -> dict[int, OpenHold]:
        """Return a patron's open holds by title."""
        found = self._of_patron.get(patron, {})
        return {title: self.holds[hold] for title, hold in found.items()}

    def add_hold(self, known: OpenHold) -> None:
        """Add a hold at the end of its queue."""
        hold = known.hold
        self.holds[hold.id] = known
        self.placed[known.title] = hold.place
        self.queues.setdefault(known.title, []).append(hold.id)
        self._of_patron.setdefault(known.patron, {})[known.title] = hold.id
        self.count_hold(known.patron, 1)
        self.record(holds_events.placed(hold))

    def set_hold(self, known: OpenHold, hold: Hold, copy: int | None) -> None:
        """Keep and publish a changed hold with the number of its copy."""
        if hold is known.hold:
            return
        self.record(holds_events.changed(known.hold, hold))
        if hold.state is HoldState.READY and known.hold.state is not HoldState.READY:
            self.ready.append(hold.id)
        known.hold, known.copy = hold, copy

    def drop_hold(self, known: OpenHold, ended: Hold) -> None:
        """Publish the end of a hold, and forget it; its patron's count is changed apart."""
        self.record(holds_events.changed(known.hold, ended))
        del self.holds[ended.id]
        queue = self.queues[known.title]
        queue.remove(ended.id)
        if not queue:
            del self.queues[known.title]
        own = self._of_patron[known.patron]
        del own[known.title]
        if not own:
            del self._of_patron[known.patron]

    def announce(
        self, closure_id: str, branch: str, days: tuple[date, date], reason: str, at: datetime
    ) -> BranchCalendar:
        """Add a closure from the first of two days to the day before the second to a calendar."""
        before = self.calendars[branch]
        version = before.version + 1
        announced = Announcement(version=version, at=utc(at), reopened_on=days[1])
        closure = AnnouncedClosure(closure_id, days[0], reason, (announced,))
        self.calendars[branch] = replace(
            before, version=version, closures=(*before.closures, closure)
        )
        return self.calendars[branch]

    def fine(self, loan: Loan, on: date) -> Statement:
        """Return the fine of a loan if its copy comes back on a day."""
        return due_date_rules.fine(loan, self.calendars[loan.branch_code].now, self.suspensions, on)

    def pay_all(self, patron: int, at: datetime) -> None:
        """Pay all that a patron owes."""
        occasion = Occasion(on=at.date(), at=utc(at), reference=self.identifier(at))
        owed = [charge for charge, _ in self.charges[patron].values()]
        self.post(patron, [pay(one, one.outstanding_cents, occasion) for one in owed])

    def waive(self, patron: int, charge_id: str, at: datetime) -> None:
        """Waive a whole charge."""
        charge, _ = self.charges[patron][charge_id]
        occasion = Occasion(on=at.date(), at=utc(at), reason="waived at the desk", by=STAFF)
        self.post(patron, [waive(charge, charge.outstanding_cents, occasion)])

    def post(
        self,
        patron: int,
        postings: Sequence[Posting],
        *,
        loans: int = 0,
        holds: int = 0,
        about: Mapping[str, str] = _NOTHING,
    ) -> None:
        """Publish changes of what a patron owes, and count open loans and holds more or less.

        `about` has the ids of titles that new charges are about, by the id of the loan or hold.
        """
        owed = sum(posting.owed_cents for posting in postings)
        borrower = self.borrower(patron).after(loans=loans, holds=holds, cents=owed)
        self._borrowers[patron] = borrower
        standing = Standing(
            version=borrower.version,
            outstanding_cents=borrower.outstanding_cents,
            blocked=owes_too_much(self.city.patron(patron), borrower, HONG_KONG),
        )
        unpaid = self.charges.get(patron, {})
        titles = {}
        for charge in (posting.charge for posting in postings):
            new = (charge, about.get(charge.loan_id or charge.hold_id or ""))
            _, title_id = unpaid.pop(charge.id, new)
            if title_id:
                titles[charge.id] = title_id
            if charge.is_open:
                unpaid[charge.id] = (charge, title_id)
        for event in charges_events.of_transaction(postings, standing, titles):
            self.record(event)
        if unpaid:
            self.charges[patron] = unpaid
        else:
            self.charges.pop(patron, None)


def utc(at: datetime) -> datetime:
    """Return an instant of the library's day as services keep it."""
    return at.astimezone(UTC)
