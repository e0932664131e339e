"""A plain model of a small library through a year: volumes, copies, works, cards and closures.

It is slow and simple on purpose: lists instead of indexes and queues, a loop over days instead of
spans, and no code of the service. It shares only the refusal codes with the service. Nothing costs
anything here; `model.py` knows of money.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

DAY = timedelta(days=1)
LOAN_DAYS, RENEWALS, SHELF_DAYS, MOST_LOANS, MOST_HOLDS = 14, 2, 7, 4, 3
AWAITED = ("to-fetch", "in-transit")


class Refused(Exception):
    """A refusal by the rules; its text is the refusal code."""


@dataclass(eq=False)
class Copy:
    barcode: str
    title: str
    volume: str | None
    work: str | None
    home: str
    at: str
    state: str = "available"
    bound_for: str | None = None
    hold: "Hold | None" = None
    left: bool = False
    """True on the shelf of a hold that is over, until the next scan."""


@dataclass(frozen=True)
class Wanted:
    """A title without its volumes, one volume, one copy, or any edition of a work."""

    title: str | None = None
    volume: str | None = None
    barcode: str | None = None
    work: str | None = None

    def suits(self, copy: Copy) -> bool:
        if self.barcode:
            return copy.barcode == self.barcode
        if self.work:
            return copy.work == self.work and copy.volume is None
        return (copy.title, copy.volume) == (self.title, self.volume)


@dataclass(eq=False)
class Hold:
    patron: str
    wanted: Wanted
    branch: str
    expires_on: date | None
    id: str = ""
    """Id that the service gave it."""
    state: str = "waiting"
    copy: Copy | None = None
    ready_on: date | None = None
    shelf_until: date | None = None

    @property
    def is_open(self) -> bool:
        return self.state in ("waiting", *AWAITED, "ready")


@dataclass(eq=False)
class Loan:
    copy: Copy
    patron: str
    branch: str
    due: date
    renewals: int = 0


@dataclass
class Year:
    """The library according to the rules of the domain."""

    today: date
    cards: dict[str, date]
    """Last day on which each patron's card is valid."""
    copies: list[Copy]
    closures: dict[str, list[tuple[date, date]]] = field(default_factory=dict)
    """First day and reopening of each closure, by branch."""
    loans: list[Loan] = field(default_factory=list)
    holds: list[Hold] = field(default_factory=list)

    # ---- days -----------------------------------------------------------------------------------

    def next_open(self, branch: str, day: date) -> date:
        while any(first <= day < reopened for first, reopened in self.closures.get(branch, ())):
            day += DAY
        return day

    def shelf_end(self, hold: Hold) -> date | None:
        day = hold.ready_on
        for _ in range(SHELF_DAYS):
            day = day and self.next_open(hold.branch, day + DAY)
        return max(day, hold.shelf_until or day) if day else None

    def close(self, branch: str, first: date, reopened: date) -> None:
        """Announce a closure: due dates and last days on the shelf move."""
        self.closures.setdefault(branch, []).append((first, reopened))
        for loan in self.loans:
            if loan.branch == branch:
                loan.due = self.next_open(branch, loan.due)
        for hold in self.holds:
            if hold.branch == branch and hold.state == "ready":
                hold.shelf_until = self.shelf_end(hold)

    def begin(self, today: date) -> None:
        """Begin a day: end what has run out, and renew what is due."""
        self.today = today
        for hold in self.holds:
            if hold.state == "waiting" and hold.expires_on and today > hold.expires_on:
                self.end(hold, "expired")
        ready = [hold for hold in self.holds if hold.state == "ready"]
        for hold in sorted(ready, key=lambda one: one.shelf_until or today):
            if today > (self.shelf_end(hold) or today):
                self.end(hold, "expired")
        self.serve()
        for loan in self.loans:  # automatic renewals
            if self.next_open(loan.branch, loan.due) == today:
                try:
                    self.renew(loan)
                except Refused:
                    continue

    # ---- patrons --------------------------------------------------------------------------------

    def check_card(self, patron: str) -> None:
        if self.today > self.cards[patron]:
            raise Refused("card-expired")

    def borrow(self, patron: str, copy: Copy, branch: str) -> None:
        self.check_card(patron)
        if sum(loan.patron == patron for loan in self.loans) >= MOST_LOANS:
            raise Refused("loan-limit")
        if copy.state == "on-loan":
            raise Refused("copy-on-loan")
        if copy.hold is not None and copy.hold.patron != patron:
            raise Refused("copy-kept")
        due = self.next_open(branch, self.today + LOAN_DAYS * DAY)
        self.loans.append(Loan(copy, patron, branch, due))
        kept_for, copy.hold = copy.hold, None
        copy.state, copy.at, copy.bound_for, copy.left = "on-loan", branch, None, False
        if kept_for:
            kept_for.state = "collected"
        for hold in self.holds:
            if hold.is_open and hold.patron == patron and hold.wanted.suits(copy):
                self.end(hold, "cancelled")

    def renew(self, loan: Loan) -> None:
        self.check_card(loan.patron)
        if any(hold.wanted.suits(loan.copy) and self.can_be_served(hold) for hold in self.holds):
            raise Refused("hold-waiting")
        if loan.renewals >= RENEWALS:
            raise Refused("renewal-limit")
        due = self.next_open(loan.branch, self.today + LOAN_DAYS * DAY)
        if due <= loan.due:
            raise Refused("nothing-to-gain")
        loan.due, loan.renewals = due, loan.renewals + 1

    def reserve(self, patron: str, wanted: Wanted, branch: str, expires_on: date | None) -> Hold:
        self.check_target(wanted)
        self.check_card(patron)
        own = [hold for hold in self.holds if hold.is_open and hold.patron == patron]
        if any(self.overlaps(hold.wanted, wanted) for hold in own):
            raise Refused("hold-exists")
        if any(loan.patron == patron and wanted.suits(loan.copy) for loan in self.loans):
            raise Refused("title-on-loan")
        if len(own) >= MOST_HOLDS:
            raise Refused("hold-limit")
        hold = Hold(patron, wanted, branch, expires_on)
        self.holds.append(hold)
        self.serve()
        return hold

    def check_target(self, wanted: Wanted) -> None:
        if any(wanted.suits(copy) for copy in self.copies):
            return
        raise Refused("no-such-volume" if wanted.volume else "which-volume")

    def overlaps(self, one: Wanted, other: Wanted) -> bool:
        """Return True if one patron may not have both: they are for the same title or volume."""
        return self.compete(self.of_title(one), self.of_title(other))

    def of_title(self, wanted: Wanted) -> Wanted:
        if not wanted.barcode:
            return wanted
        [copy] = [one for one in self.copies if one.barcode == wanted.barcode]
        return Wanted(copy.title, copy.volume)

    def compete(self, one: Wanted, other: Wanted) -> bool:
        return any(one.suits(copy) and other.suits(copy) for copy in self.copies)

    def cancel(self, hold: Hold) -> None:
        self.end(hold, "cancelled")

    def renew_card(self, patron: str, until: date) -> None:
        self.cards[patron] = until
        self.serve()

    # ---- copies ---------------------------------------------------------------------------------

    def scan(self, copy: Copy, branch: str) -> None:
        """Take back a copy from a loan, or receive one that is awaited."""
        if copy.state == "on-loan":
            self.loans = [loan for loan in self.loans if loan.copy is not copy]
        elif copy.state not in AWAITED and not copy.left:
            raise Refused("not-on-loan")
        copy.at, copy.bound_for, copy.state, copy.left = branch, None, "available", False
        if copy.hold:
            self.allot(copy.hold, copy, scanned=True)
        else:
            self.serve(in_hand=copy)

    # ---- queues ---------------------------------------------------------------------------------

    def can_be_served(self, hold: Hold) -> bool:
        late = hold.expires_on is not None and self.today > hold.expires_on
        return hold.state == "waiting" and not late and self.today <= self.cards[hold.patron]

    def position(self, hold: Hold) -> int | None:
        if hold.state != "waiting":
            return None
        before = self.holds[: self.holds.index(hold) + 1]
        return sum(
            one.state == "waiting" and self.compete(one.wanted, hold.wanted) for one in before
        )

    def serve(self, in_hand: Copy | None = None) -> None:
        """Give free copies to the waiting holds in the order of placing; send the rest home."""
        for hold in filter(self.can_be_served, self.holds):
            free = [
                copy
                for copy in self.copies
                if copy.hold is None
                and copy.state in ("available", "in-transit")
                and hold.wanted.suits(copy)
            ]
            if free:
                copy = min(free, key=distance(hold.branch, in_hand))
                self.allot(hold, copy, scanned=copy is in_hand)
        for copy in self.copies:
            if copy.state == "available" and copy.at != copy.home:
                copy.state, copy.bound_for = "in-transit", copy.home

    def allot(self, hold: Hold, copy: Copy, *, scanned: bool) -> None:
        copy.hold, hold.copy = hold, copy
        if copy.state == "in-transit":
            hold.state = "in-transit"
        elif not scanned:
            hold.state = copy.state = "to-fetch"
        elif copy.at != hold.branch:
            hold.state = copy.state = "in-transit"
            copy.bound_for = hold.branch
        else:
            hold.state, copy.state, hold.ready_on = "ready", "on-shelf", self.today
            hold.shelf_until = self.shelf_end(hold)

    def end(self, hold: Hold, state: str) -> None:
        hold.state = state
        if (copy := hold.copy) is not None and copy.hold is hold:
            copy.hold = None
            copy.left |= copy.state == "on-shelf"
            if copy.state in ("to-fetch", "on-shelf"):
                copy.state = "available"
            self.serve()


def distance(branch: str, in_hand: Copy | None) -> Callable[[Copy], tuple[object, ...]]:
    """Return a sort key of free copies: the nearest to the branch sorts first."""
    return lambda copy: (
        (copy.bound_for or copy.at) != branch,
        copy.state == "in-transit",
        copy is not in_hand,
        copy.at,
        copy.barcode,
    )
