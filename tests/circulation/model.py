"""A plain model of lending: one title with a few copies and patrons, worked out day by day.

It is slow and simple on purpose: lists instead of indexes, a loop over days instead of spans,
no transactions, and no code of the service. It shares only the refusal codes with the service.
It processes the branch events that notices publishes. Fines are counted by tests/day_by_day.py.
"""

from dataclasses import dataclass, field
from datetime import date

from shared.contracts.notices import BranchSnapshot
from tests.day_by_day import DAY, next_open, overdue_days

LOAN_DAYS, RENEWALS, SHELF_DAYS = 14, 5, 7
PER_DAY, CAP, HOLD_FEE = 150, 13_000, 330
OPEN = ("waiting", "to-fetch", "in-transit", "ready")
AWAITED = ("to-fetch", "in-transit")
"""Copy states in which staff still have to scan the copy, at its shelf or on its arrival."""


class Refused(Exception):
    """A refusal by the rules; its text is the refusal code."""


@dataclass
class Closed:
    """A closure as it was announced at one moment."""

    id: str
    first: date
    reopened_on: date | None
    in_error: bool

    def covers(self, day: date) -> bool:
        return self.first <= day and (self.reopened_on is None or day < self.reopened_on)


@dataclass
class Branch:
    """A branch with the closures in force after each announcement."""

    history: list[list[Closed]] = field(default_factory=lambda: [[]])

    def closed(self, day: date, said: list[Closed] | None = None) -> bool:
        return any(one.covers(day) for one in (self.history[-1] if said is None else said))

    def next_open(self, day: date, said: list[Closed] | None = None) -> date | None:
        return next_open(day, lambda one: not self.closed(one, said))

    def due(self, day: date) -> date:
        return self.next_open(day) or day


@dataclass
class Suspension:
    id: str
    first: date
    resumes_on: date | None
    branch: str | None

    def covers(self, branch: str, day: date) -> bool:
        after_first = self.first <= day and (self.resumes_on is None or day < self.resumes_on)
        return after_first and self.branch in (None, branch)


@dataclass
class Loan:
    copy: str
    patron: str
    branch: str
    due: date
    renewals: int
    set_at: int
    """Number of the branch's announcements known when the due date was set, plus one."""
    base: date
    """The due date that check-out or renewal set, before any move."""
    open: bool = True


@dataclass
class Hold:
    patron: str
    branch: str
    state: str = "waiting"
    copy: str | None = None
    ready_on: date | None = None
    shelf_until: date | None = None


@dataclass
class Copy:
    home: str
    at: str
    state: str = "available"
    bound_for: str | None = None
    hold: Hold | None = None
    left: bool = False
    """True on the shelf of a hold that is over, until the next scan."""


@dataclass
class Charge:
    """Money owed: a fine with the facts it was calculated from, or a hold fee."""

    patron: str
    amount: int
    outstanding: int
    refund_due: int = 0
    due: date | None = None
    until: date | None = None
    branch: str = ""


class Model:
    """The library according to the rules of the domain."""

    def __init__(self, today: date, branches: list[str], copies: dict[str, str]) -> None:
        self.today = today
        self.branches = {code: Branch() for code in branches}
        self.copies = {barcode: Copy(home, home) for barcode, home in copies.items()}
        self.loans: list[Loan] = []
        self.holds: list[Hold] = []
        self.charges: list[Charge] = []
        self.suspensions: dict[str, Suspension] = {}

    # ---- queries --------------------------------------------------------------------------------

    def owes(self, patron: str) -> int:
        return sum(one.outstanding for one in self.charges if one.patron == patron)

    def loan_of(self, barcode: str) -> Loan | None:
        return next((one for one in self.loans if one.copy == barcode and one.open), None)

    def hold_of(self, patron: str) -> Hold | None:
        return next((one for one in self.queue() if one.patron == patron), None)

    def queue(self) -> list[Hold]:
        return [one for one in self.holds if one.state in OPEN]

    def fine(self, due: date, branch: str, until: date) -> int:
        """Return the fine in cents, added up day by day."""
        first = self.branches[branch].next_open(due)
        if first is None:
            return 0
        counted = overdue_days(
            first,
            until,
            is_open=lambda day: not self.branches[branch].closed(day),
            is_suspended=lambda day: any(
                one.covers(branch, day) for one in self.suspensions.values()
            ),
            rate=PER_DAY,
            cap=CAP,
        )
        return sum(cents for _, _, cents in counted)

    # ---- commands -------------------------------------------------------------------------------

    def check_out(self, barcode: str, patron: str, branch: str) -> None:
        copy, hold = self.copies[barcode], self.hold_of(patron)
        if self.owes(patron):
            raise Refused("patron-blocked")
        if copy.state == "on-loan":
            raise Refused("copy-on-loan")
        if copy.hold is not None and copy.hold is not hold:
            raise Refused("copy-kept")
        due = self.branches[branch].due(self.today + LOAN_DAYS * DAY)
        at = len(self.branches[branch].history)
        self.loans.append(Loan(barcode, patron, branch, due, 0, at, due))
        mine = copy.hold is not None and copy.hold is hold
        copy.state, copy.at, copy.bound_for, copy.hold = "on-loan", branch, None, None
        copy.left = False
        if hold is not None and mine:
            hold.state = "collected"
            self.charges.append(Charge(patron, HOLD_FEE, HOLD_FEE))
        elif hold is not None:
            self._end(hold, "cancelled")

    def take_back(self, barcode: str, branch: str) -> None:
        loan, copy = self.loan_of(barcode), self.copies[barcode]
        if loan is None and copy.state in AWAITED:
            self.receive(barcode, branch)
            return
        if loan is None and not copy.left:
            raise Refused("not-on-loan")
        if loan is not None:
            self._assess(loan)
            loan.open = False
        copy.state, copy.at, copy.left = "available", branch, False
        self.serve(in_hand=copy)

    def renew(self, barcode: str) -> None:
        loan = self.loan_of(barcode)
        if loan is None:
            raise Refused("no-such-loan")
        if self.owes(loan.patron):
            raise Refused("patron-blocked")
        if any(one.state == "waiting" and self.can_be_served(one) for one in self.queue()):
            raise Refused("hold-waiting")
        if loan.renewals >= RENEWALS:
            raise Refused("renewal-limit")
        branch = self.branches[loan.branch]
        due = branch.due(self.today + LOAN_DAYS * DAY)
        if due <= loan.due:
            raise Refused("nothing-to-gain")
        self._assess(loan)
        loan.due = loan.base = due
        loan.set_at = len(branch.history)
        loan.renewals += 1

    def place(self, patron: str, branch: str) -> None:
        if self.owes(patron):
            raise Refused("patron-blocked")
        if self.hold_of(patron):
            raise Refused("hold-exists")
        if any(one.open and one.patron == patron for one in self.loans):
            raise Refused("title-on-loan")
        self.holds.append(Hold(patron, branch))
        self.serve()

    def cancel(self, patron: str) -> None:
        hold = self.hold_of(patron)
        if hold is None:
            raise Refused("no-such-hold")
        self._end(hold, "cancelled")
        self.serve()

    def receive(self, barcode: str, branch: str) -> None:
        copy = self.copies[barcode]
        if copy.state not in AWAITED:
            raise Refused("copy-state")
        copy.at, copy.bound_for, copy.state, copy.left = branch, None, "available", False
        if copy.hold:
            self._allot(copy.hold, copy, scanned=True)
        else:
            self.serve(in_hand=copy)

    def pay(self, patron: str) -> None:
        for charge in self.charges:
            if charge.patron == patron:
                charge.outstanding = 0

    # ---- time, closures and suspensions ---------------------------------------------------------

    def pass_days(self, days: int) -> None:
        self.today += days * DAY
        for hold in self.queue():
            end = self._shelf_end(hold)
            if hold.state == "ready" and end is not None and self.today > end:
                self._end(hold, "expired")
                self.serve()
        self.serve()

    def hear(self, event: BranchSnapshot) -> None:
        """Record a branch's closures, and move the due dates and shelf days that they affect."""
        branch = self.branches[event.branch]
        said = [
            Closed(
                c.closure_id,
                c.announcements[-1].from_ or c.from_,
                c.reopened_on,
                c.announcements[-1].in_error,
            )
            for c in event.closures
        ]
        newly_wrong = any(
            one.in_error
            and not any(old.id == one.id and old.in_error for old in branch.history[-1])
            for one in said
        )
        branch.history.append(said)
        for loan in self.loans:
            if not loan.open or loan.branch != event.branch:
                continue
            if newly_wrong and loan.due != loan.base:
                loan.due = min(loan.due, self._without_errors(loan, branch))
            if branch.closed(loan.due):
                loan.due = branch.due(loan.due)
        for hold in self.queue():
            if hold.branch == event.branch and hold.state == "ready":
                hold.shelf_until = self._shelf_end(hold)
        self.rework()
        self.serve()

    def suspend(self, suspension: Suspension) -> None:
        self.suspensions[suspension.id] = suspension
        self.rework()

    def rework(self) -> None:
        """Credit the fines that are lower now: first the unpaid part, then as a refund due."""
        for charge in self.charges:
            if charge.due is None or charge.until is None:
                continue
            falls = charge.amount - self.fine(charge.due, charge.branch, charge.until)
            if falls > 0:
                unpaid = min(falls, charge.outstanding)
                charge.amount -= falls
                charge.outstanding -= unpaid
                charge.refund_due += falls - unpaid

    # ---- holds ----------------------------------------------------------------------------------

    def can_be_served(self, hold: Hold) -> bool:
        open_again = self.branches[hold.branch].next_open(self.today)
        return not self.owes(hold.patron) and open_again is not None

    def serve(self, in_hand: Copy | None = None) -> None:
        """Allot free copies to waiting holds in turn; send the other copies to their home branches.

        At most one copy is in the hands of staff. The others are in transit or on a shelf.
        """
        for hold in self.queue():
            free = [
                (barcode, copy)
                for barcode, copy in self.copies.items()
                if copy.hold is None and copy.state in ("available", "in-transit")
            ]
            if hold.state == "waiting" and free and self.can_be_served(hold):
                _, copy = min(free, key=lambda one: distance(one, hold.branch, in_hand))
                self._allot(hold, copy, scanned=copy is in_hand)
        for copy in self.copies.values():
            if copy.state == "available" and copy.at != copy.home:
                copy.state, copy.bound_for = "in-transit", copy.home

    def _allot(self, hold: Hold, copy: Copy, *, scanned: bool) -> None:
        copy.hold = hold
        hold.copy = next(code for code, one in self.copies.items() if one is copy)
        if copy.state == "in-transit":
            hold.state = "in-transit"
        elif not scanned:
            hold.state, copy.state = "to-fetch", "to-fetch"
        elif copy.at != hold.branch:
            hold.state, copy.state, copy.bound_for = "in-transit", "in-transit", hold.branch
        else:
            hold.state, copy.state, hold.ready_on = "ready", "on-shelf", self.today
            hold.shelf_until = self._shelf_end(hold)

    def _shelf_end(self, hold: Hold) -> date | None:
        """Return the seventh open day after `ready_on`, never earlier than the day already set.

        A day that passed while no day was known is counted from today instead.
        """
        day = self._seventh_open(hold, hold.ready_on)
        if day is not None and hold.shelf_until is not None:
            return max(day, hold.shelf_until)
        if day is not None and day < self.today:
            return self._seventh_open(hold, self.today)
        return day

    def _seventh_open(self, hold: Hold, day: date | None) -> date | None:
        for _ in range(SHELF_DAYS):
            day = None if day is None else self.branches[hold.branch].next_open(day + DAY)
        return day

    def _end(self, hold: Hold, state: str) -> None:
        hold.state = state
        if hold.copy is not None:
            copy = self.copies[hold.copy]
            copy.hold, hold.copy = None, None
            copy.left |= copy.state == "on-shelf"
            if copy.state in ("to-fetch", "on-shelf"):
                copy.state = "available"
            self.serve()

    # ---- loans ----------------------------------------------------------------------------------

    def _assess(self, loan: Loan) -> None:
        cents = self.fine(loan.due, loan.branch, self.today)
        if cents:
            self.charges.append(
                Charge(loan.patron, cents, cents, 0, loan.due, self.today, loan.branch)
            )

    def _without_errors(self, loan: Loan, branch: Branch) -> date:
        """Return the due date without the closures now withdrawn as errors."""
        wrong = {one.id for one in branch.history[-1] if one.in_error}
        due = loan.base
        for said in branch.history[loan.set_at :]:
            right = [one for one in said if one.id not in wrong]
            if branch.closed(due, right):
                due = branch.next_open(due, right) or due
        return due


def distance(
    free: tuple[str, Copy], branch: str, in_hand: Copy | None
) -> tuple[bool, bool, bool, str, str]:
    """Return a sort key of free copies: the nearest to the branch sorts first."""
    barcode, copy = free
    elsewhere = (copy.bound_for or copy.at) != branch
    return (elsewhere, copy.state == "in-transit", copy is not in_hand, copy.at, barcode)
