"""The days of a simulated city: who comes, borrows, renews, returns, reserves and pays, and when.

People are believable on average, not as persons: how often somebody comes differs widely, a few
titles are asked for again and again, most loans are returned in time, some late and a few never.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from heapq import heapify, heappop, heappush
from typing import Any

from ops.simulation import activities
from ops.simulation.books import Books
from ops.simulation.city import CLOSES, OPENS, card_of
from ops.simulation.holds import cancel_hold, place_hold
from ops.simulation.loans import Watch, check_out, renew, take_back
from services.circulation.rules.copy import AWAITED_STATES, CopyState
from services.circulation.rules.hold import HoldState
from services.circulation.rules.loan import Channel

VISITS = 0.014
"""Visits of a patron on an average day."""
WEEK = (0.8, 0.8, 0.9, 0.9, 1.0, 1.4, 1.2)
"""Visits by weekday from Monday, as a multiple of the average."""
YEAR = (1.0, 0.85, 1.0, 1.0, 0.95, 1.0, 1.2, 1.2, 0.95, 0.95, 0.95, 1.0)
"""The same by month."""
ITEMS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 5)
AT_HOME = 0.85
"""Share of the visits to a patron's own branch."""
WANTS = 0.3
"""Share of the items that were wanted before the visit; others are found on the shelves."""
RESERVES = 0.6
"""Probability that a wanted title which is not there is reserved."""
TRIES = 4
"""Copies that somebody looks at before they go without."""
NEVER, RENEWED, LATE = 0.003, 0.2, 0.09
"""Shares of loans that are never returned, renewed, and returned late."""
LATE_DAYS = 6.0
"""Average days after the due date of a late return."""
COLLECTED, CANCELLED = 0.85, 0.05
"""Shares of ready holds that are collected, and cancelled; the others are left on the shelf."""
PAYS_AT_ONCE, PAYS_LATER, WAIVED = 0.5, 0.8, 0.04
"""Probabilities that a charge is paid at the desk, else within a month, and that it is waived."""
CHANNELS: tuple[Channel, ...] = ("desk", "desk", "station", "station", "book-drop")
TALKS = 1 / 7
"""Activities of a larger branch that are published on an average day."""
LARGER = ("central", "major", "district")
WITHDRAWN, CALLED_OFF = 0.1, 0.06
"""Shares of registrations that are withdrawn, and of activities that are cancelled."""

FIRST_SECOND = OPENS.hour * 3600
LAST_SECOND = CLOSES.hour * 3600 - 600
TALKS_AT = 15 * 3600

Turn = tuple[int, int, str, int, str]
"""Second of a day, order, kind, number of a patron or copy, and what else it is about."""


@dataclass(frozen=True, slots=True)
class Done:
    """Something that was done, before its events are taken from the books."""

    at: datetime
    verb: str
    fields: dict[str, Any]
    outcome: Any = None


class Day:
    """The turns of each day; those that follow from them are kept for later days."""

    def __init__(self, books: Books, watch: Watch) -> None:
        self._books = books
        self._watch = watch
        self._city = books.city
        self._chance = books.city.plan.chance("days")
        self._talks = books.city.plan.chance("activities")
        self._doors = books.city.plan.chance("attendance")
        self._agenda: dict[date, list[Turn]] = {}
        self._order = 0
        self._today = date.min
        self._turns: list[Turn] = []

    def of(self, today: date) -> Iterator[Done]:
        """Yield what happens on a day, in order. The books have its events after each."""
        self._today = today
        self._turns = self._agenda.pop(today, [])
        heapify(self._turns)
        self._follow_up(FIRST_SECOND)
        for place in self._city.places:
            if place.kind in LARGER and self._talks.random() < TALKS:
                self._at(today, "publish", 0, place.code, second=self._second())
        for _ in range(self._visits()):
            self._at(today, "visit", self._city.visitor_at_random(self._chance))
        while self._turns:
            second, _, kind, number, about = heappop(self._turns)
            turn = getattr(self, f"_{kind}")
            yield from turn(second, number, about)
            self._follow_up(second)

    def _visits(self) -> int:
        season = WEEK[self._today.weekday()] * YEAR[self._today.month - 1]
        expected = self._city.plan.patrons * VISITS * season
        return max(0, round(self._chance.gauss(expected, expected**0.5)))

    def _at(
        self, day: date, kind: str, number: int, about: str = "", *, second: int | None = None
    ) -> None:
        """Put a turn on the agenda, at a random second of the opening hours if none is given."""
        if second is None:
            second = self._chance.randrange(FIRST_SECOND, LAST_SECOND)
        self._order += 1
        turn = (second, self._order, kind, number, about)
        if day == self._today:
            heappush(self._turns, turn)
        else:
            self._agenda.setdefault(day, []).append(turn)

    def _later(self, days: int, kind: str, number: int, about: str = "") -> None:
        self._at(self._today + timedelta(max(days, 1)), kind, number, about)

    def _follow_up(self, second: int) -> None:
        """Let staff fetch and unpack copies, and patrons collect what has become ready."""
        for number in self._books.awaited:
            if self._books.copy(number).state is CopyState.TO_FETCH and second < LAST_SECOND:
                self._at(self._today, "scan", number, second=second + 1800)
            else:
                self._later(self._chance.randint(1, 2), "scan", number)
        self._books.awaited.clear()
        for hold_id in self._books.ready:
            drawn = self._chance.random()
            if drawn < COLLECTED:
                self._later(self._chance.randint(1, 6), "collect", 0, hold_id)
            elif drawn < COLLECTED + CANCELLED:
                self._later(self._chance.randint(1, 4), "cancel", 0, hold_id)
        self._books.ready.clear()

    def _moment(self, second: int) -> datetime:
        return self._city.plan.at(self._today, second)

    def _is_open(self, branch: str) -> bool:
        return self._books.calendars[branch].now.is_open(self._today)

    def _visit(self, second: int, patron: int, _: str) -> Iterator[Done]:
        """A patron comes to look for something to read."""
        branch = self._city.home_of(patron)
        if self._chance.random() > AT_HOME:
            branch = self._city.branch_at_random(self._chance)
        if self._is_open(branch):
            yield from self._use_branch(second, patron, branch, self._chance.choice(ITEMS))

    def _collect(self, second: int, _: int, hold_id: str) -> Iterator[Done]:
        """A patron comes for a copy on the hold shelf."""
        known = self._books.holds.get(hold_id)
        if known is None or known.hold.state is not HoldState.READY:
            return
        if self._is_open(known.hold.pickup_branch):
            yield from self._use_branch(second, known.patron, known.hold.pickup_branch, 0)
        else:
            self._later(1, "collect", 0, hold_id)

    def _use_branch(self, second: int, patron: int, branch: str, items: int) -> Iterator[Done]:
        """Let a patron pay, borrow what is kept for them or found, and reserve the rest."""
        books = self._books
        if patron in books.charges:
            if self._chance.random() > PAYS_AT_ONCE:
                return
            yield from self._pay(second, patron, "")
        numbers = {
            known.copy: None
            for known in books.holds_of(patron).values()
            if known.copy is not None
            and known.hold.state is HoldState.READY
            and known.hold.pickup_branch == branch
        }
        wanted = []
        for _ in range(items):
            if self._chance.random() < WANTS:
                title = self._city.wanted_at_random(self._chance)
                found = self._on_shelf(title, branch)
                if found is None:
                    wanted.append(title)
            else:
                found = self._browse(branch)
            if found is not None:
                numbers[found] = None
        if numbers:
            yield self._borrow(second, patron, list(numbers), branch)
            if patron in books.charges:  # the fee for a hold
                self._at(self._today, "pay", patron, second=second + 60)
        for title in dict.fromkeys(wanted):
            if self._chance.random() < RESERVES:
                about = f"{title} {branch}"
                self._at(self._today, "reserve", patron, about, second=second + 30)

    def _reserve(self, second: int, patron: int, about: str) -> Iterator[Done]:
        number, branch = about.split()
        at, title = self._moment(second), int(number)
        refused = place_hold(self._books, patron, title, branch, at)
        fields = {"patron": card_of(patron), "title": title, "branch": branch}
        yield Done(at, "place-hold", fields, refused)

    def _on_shelf(self, title: int, branch: str) -> int | None:
        """Return a copy of a title that lies on the shelf of a branch."""
        for number, copy in self._books.copies_of(title):
            if copy.state is CopyState.AVAILABLE and copy.at_branch == branch:
                return number
        return None

    def _browse(self, branch: str) -> int | None:
        """Return a copy that somebody finds on the shelves of a branch."""
        for _ in range(TRIES):
            number = self._city.copy_at_random(self._chance, branch)
            copy = self._books.copy(number)
            if copy.state is CopyState.AVAILABLE and copy.at_branch == branch:
                return number
        return None

    def _borrow(self, second: int, patron: int, numbers: list[int], branch: str) -> Done:
        at = self._moment(second)
        refused = check_out(self._books, self._watch, patron, numbers, branch=branch, at=at)
        for number, code in zip(numbers, refused, strict=True):
            if not code:
                self._plan_end(number)
        fields = {"patron": card_of(patron), "copies": numbers, "branch": branch}
        return Done(at, "check-out", fields, refused)

    def _plan_end(self, number: int) -> None:
        """Decide when a new or renewed loan is renewed or returned."""
        loan, drawn = self._books.loans[number].loan, self._chance.random()
        left = (loan.due_on - self._today).days
        if drawn < NEVER:
            return
        if drawn < NEVER + RENEWED:
            self._later(left - self._chance.randint(0, 3), "renew", number, loan.id)
        elif drawn < NEVER + RENEWED + LATE:
            late = 1 + int(self._chance.expovariate(1 / LATE_DAYS))
            self._later(left + late, "return", number, loan.id)
        else:
            self._later(left - int(left * self._chance.random() ** 2), "return", number, loan.id)

    def _renew(self, second: int, number: int, loan_id: str) -> Iterator[Done]:
        known = self._books.loans.get(number)
        if known is None or known.loan.id != loan_id:
            return
        at = self._moment(second)
        refused = renew(self._books, self._watch, number, at)
        if refused:
            self._later((known.loan.due_on - self._today).days, "return", number, loan_id)
        else:
            self._plan_end(number)
        fields = {"copy": number, "due_on": self._books.loans[number].loan.due_on.isoformat()}
        yield Done(at, "renew", fields, refused)

    def _return(self, second: int, number: int, loan_id: str) -> Iterator[Done]:
        known = self._books.loans.get(number)
        if known is None or known.loan.id != loan_id:
            return
        branch = known.loan.branch_code
        if self._chance.random() > AT_HOME:
            branch = self._city.branch_at_random(self._chance)
        if not self._is_open(branch):
            self._later(1, "return", number, loan_id)
            return
        patron = known.patron
        yield self._scanned(second, number, branch, self._chance.choice(CHANNELS))
        charge = next(
            (
                one
                for one, (charge, _) in self._books.charges.get(patron, {}).items()
                if charge.loan_id == loan_id
            ),
            None,
        )
        if charge is not None:
            self._settle(second, patron, charge)

    def _settle(self, second: int, patron: int, charge: str) -> None:
        """Decide when a new fine is paid or waived."""
        drawn = self._chance.random()
        if drawn < WAIVED:
            self._later(self._chance.randint(1, 5), "waive", patron, charge)
        elif drawn < WAIVED + PAYS_AT_ONCE:
            self._at(self._today, "pay", patron, second=second + 60)
        elif self._chance.random() < PAYS_LATER:
            self._later(self._chance.randint(1, 30), "pay", patron)

    def _scan(self, second: int, number: int, _: str) -> Iterator[Done]:
        """Staff scan a copy that was set aside or has travelled."""
        copy = self._books.copy(number)
        if copy.state not in AWAITED_STATES:
            return
        branch = copy.bound_for or copy.at_branch
        if self._is_open(branch):
            yield self._scanned(second, number, branch, "desk")
        else:
            self._later(1, "scan", number)

    def _scanned(self, second: int, number: int, branch: str, channel: Channel) -> Done:
        at = self._moment(second)
        take_back(self._books, number, branch, channel, at)
        return Done(at, "return", {"copy": number, "branch": branch, "channel": channel})

    def _pay(self, second: int, patron: int, _: str) -> Iterator[Done]:
        if patron not in self._books.charges:
            return
        at = self._moment(second)
        cents = self._books.borrower(patron).outstanding_cents
        self._books.pay_all(patron, at)
        yield Done(at, "pay", {"patron": card_of(patron), "cents": cents})

    def _waive(self, second: int, patron: int, charge_id: str) -> Iterator[Done]:
        if charge_id not in self._books.charges.get(patron, {}):
            return
        at = self._moment(second)
        charge, _ = self._books.charges[patron][charge_id]
        self._books.waive(patron, charge_id, at)
        fields = {"patron": card_of(patron), "cents": charge.outstanding_cents}
        yield Done(at, "waive", fields)

    def _cancel(self, second: int, _: int, hold_id: str) -> Iterator[Done]:
        known = self._books.holds.get(hold_id)
        if known is None or known.hold.state is not HoldState.READY:
            return
        at = self._moment(second)
        cancel_hold(self._books, hold_id, at.date())
        yield Done(at, "cancel-hold", {"patron": card_of(known.patron), "title": known.title})

    def _second(self) -> int:
        """Return a second of the opening hours for what happens to activities."""
        return self._talks.randrange(FIRST_SECOND, LAST_SECOND)

    def _publish(self, second: int, _: int, branch: str) -> Iterator[Done]:
        """Staff publish a talk; patrons register before the day on which it is held."""
        at, patrons = self._moment(second), self._city.plan.patrons
        held = self._today + timedelta(self._talks.randint(10, 20))
        places = min(self._talks.randint(8, 24), max(3, patrons // 10))
        title = self._city.title(self._city.wanted_at_random(self._talks)).title
        title = f"A talk about {title}"
        starts_at = self._city.plan.at(held, TALKS_AT)
        activity = activities.publish(
            self._books, branch, title, places, starts_at=starts_at, at=at
        )
        for _ in range(self._talks.randint(places // 2, 2 * places)):
            patron = self._city.visitor_at_random(self._talks)
            self._on_a_day_before(held, "register", patron, activity)
        if self._talks.random() < CALLED_OFF:
            self._on_a_day_before(held, "call_off", 0, activity)
        self._at(held, "begin", 0, activity, second=FIRST_SECOND)
        fields = {"title": title, "branch": branch, "places": places, "type": "talk"}
        fields |= {"venue": activities.VENUE, "organiser": activities.ORGANISER}
        fields |= {
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + activities.LASTS).isoformat(),
        }
        yield Done(at, "publish-activity", fields, activity)

    def _on_a_day_before(self, held: date, kind: str, number: int, activity: str) -> None:
        """Plan a turn for a random day between today and an activity, if there is one."""
        left = (held - self._today).days - 1
        if left > 0:
            day = self._today + timedelta(self._talks.randint(1, left))
            self._at(day, kind, number, activity, second=self._second())

    def _register(self, second: int, patron: int, activity: str) -> Iterator[Done]:
        at = self._moment(second)
        outcome = activities.register(self._books, activity, patron, at)
        if self._talks.random() < WITHDRAWN:
            held = self._books.activities[activity].activity.starts_at
            self._on_a_day_before(held.astimezone(at.tzinfo).date(), "withdraw", patron, activity)
        fields = {"patron": card_of(patron), "activity": activity}
        yield Done(at, "register", fields, outcome)

    def _withdraw(self, second: int, patron: int, activity: str) -> Iterator[Done]:
        at = self._moment(second)
        refused = activities.withdraw(self._books, activity, patron, at)
        yield Done(at, "withdraw", {"patron": card_of(patron), "activity": activity}, refused)

    def _call_off(self, second: int, _: int, activity: str) -> Iterator[Done]:
        at, reason = self._moment(second), "The speaker is ill."
        activities.call_off(self._books, activity, reason, at)
        yield Done(at, "cancel-activity", {"activity": activity, "reason": reason})

    def _begin(self, _second: int, _: int, activity: str) -> Iterator[Done]:
        """Plan who comes. Nobody registers for an activity any more on its day."""
        for patron, early in activities.attending(self._books, activity, self._doors):
            self._at(self._today, "attend", patron, activity, second=TALKS_AT - early)
        self._at(self._today + timedelta(1), "close", 0, activity, second=FIRST_SECOND)
        yield from ()

    def _attend(self, second: int, patron: int, activity: str) -> Iterator[Done]:
        at = self._moment(second)
        refused = activities.attend(self._books, activity, patron, at)
        yield Done(at, "attend", {"patron": card_of(patron), "activity": activity}, refused)

    def _close(self, _second: int, _: int, activity: str) -> Iterator[Done]:
        activities.close(self._books, activity)
        yield from ()
