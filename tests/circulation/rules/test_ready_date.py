"""The likely day of a hold: a simulated city judges it, whose readers it does not know.

The seeds here are other ones than those with which the rule was tried out while it was written.
"""

# ruff: noqa: S311 - the choices are no secrets

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from statistics import median

from services.circulation.rules.calendar import Calendar, Closure
from services.circulation.rules.ready_date import (
    Experience,
    OnHold,
    OnLoan,
    Spread,
    Title,
    likely_ready_by,
)

BEGINS = date(2021, 1, 4)
DAY = timedelta(days=1)
LOAN_DAYS, RENEWALS, SHELF_DAYS = 14, 5, 7
LEARNS, JUDGES, ENDS = 240, 480, 720
"""Days after which the city is known, and no more holds are placed, and it ends."""


@dataclass
class Reader:
    """A hold and what becomes of it."""

    placed: int
    patience: int
    """Day on which it is cancelled if it waits."""
    likely: date | None = None
    place: int = 0
    ready: int | None = None


@dataclass
class Piece:
    """A copy: with a reader, on the hold shelf, on its way, or on its own shelf."""

    borrowed: int | None = None
    due: date = date.min
    wants: int = 0
    """Day until which its reader wants it."""
    late: int = 0
    """Days by which its reader is late, if they can't renew it."""
    renewals: int = 0
    waits_for: Reader | None = None
    arrives: int = 0
    collected: int = 0
    """Day on which it is collected."""
    leaves: int = 0
    """Day on which it is taken off the hold shelf if it is not collected before."""


@dataclass
class Learned:
    loans: Counter[int] = field(default_factory=Counter)
    late: Counter[int] = field(default_factory=Counter)
    collections: Counter[int] = field(default_factory=Counter)
    holds: int = 0
    dropped: int = 0
    uncollected: int = 0

    def experience(self) -> Experience:
        return Experience(
            Spread(dict(self.loans)),
            Spread(dict(self.late)),
            Spread(dict(self.collections)),
            self.holds,
            self.dropped,
            self.uncollected,
        )


def day_of(number: int) -> date:
    return BEGINS + timedelta(days=number)


def number_of(day: date | None) -> int:
    return 10**6 if day is None else (day - BEGINS).days


class Shelf:
    """All copies of a title with their readers, day by day."""

    def __init__(self, random: Random, calendars: tuple[Calendar, Calendar]) -> None:
        self.random = random
        self.home, self.pickup = calendars
        self.travels = self.home is not self.pickup
        self.pieces = [Piece() for _ in range(random.choice((1, 1, 2, 3, 5)))]
        self.demand = len(self.pieces) * random.uniform(0.02, 0.06)
        self.queue: list[Reader] = []

    def lend(self, piece: Piece, today: int) -> None:
        piece.borrowed, piece.renewals, piece.waits_for = today, 0, None
        piece.due = self.home.due_date(day_of(today), LOAN_DAYS)
        piece.wants = today + max(1, round(self.random.lognormvariate(2.4, 0.6)))
        late = self.random.random() < 0.25
        piece.late = 1 + int(self.random.expovariate(1 / 5)) if late else 0

    def is_back(self, piece: Piece, today: int) -> bool:
        assert piece.borrowed is not None
        if not self.home.is_open(day_of(today)):
            return False
        if today >= piece.wants and day_of(today) <= piece.due:
            return True
        if day_of(today) < piece.due:
            return False
        if not self.queue and piece.renewals < RENEWALS and not piece.late:
            piece.due = self.home.due_date(day_of(today), LOAN_DAYS)
            piece.renewals += 1
            return False
        return day_of(today) >= piece.due + piece.late * DAY

    def pass_day(self, today: int, learned: Learned) -> None:
        for reader in [one for one in self.queue if one.patience <= today]:
            self.queue.remove(reader)
            learned.holds += 1
            learned.dropped += 1
        for piece in self.pieces:
            self.collect(piece, today, learned)
            if piece.borrowed is not None and self.is_back(piece, today):
                learned.loans[today - piece.borrowed] += 1
                learned.late[0] += piece.renewals
                if day_of(today) >= piece.due:
                    learned.late[(day_of(today) - piece.due).days] += 1
                piece.borrowed = None
            if piece.borrowed is None and piece.waits_for is None and self.queue:
                piece.waits_for = self.queue.pop(0)
                arrives = self.pickup.next_open(day_of(today))
                for _ in range(self.random.choice((1, 2, 3)) if self.travels else 0):
                    arrives = self.pickup.next_open(arrives + DAY) if arrives else None
                piece.arrives = number_of(arrives)
            if piece.waits_for and piece.waits_for.ready is None and piece.arrives <= today:
                piece.waits_for.ready = today
                piece.leaves = number_of(self.pickup.open_day_after(day_of(today), SHELF_DAYS))
                comes = self.random.random() < 0.93
                waits = int(self.random.expovariate(1 / 2.5))
                collected = number_of(self.pickup.next_open(day_of(today + waits)))
                piece.collected = min(collected, piece.leaves) if comes else piece.leaves + 1

    def collect(self, piece: Piece, today: int, learned: Learned) -> None:
        """Lend a copy that is collected today, or take one off the shelf that was not."""
        reader = piece.waits_for
        if reader is None or reader.ready is None or today < piece.collected:
            return
        learned.holds += 1
        if piece.collected <= piece.leaves:
            learned.collections[today - reader.ready] += 1
            self.lend(piece, today)
        else:
            learned.uncollected += 1
            piece.waits_for = None

    def place(self, today: int, experience: Experience | None) -> Reader | None:
        """Let a reader come who borrows a free copy or places a hold; return the hold."""
        free = [one for one in self.pieces if one.borrowed is None and one.waits_for is None]
        if free:
            self.lend(free[0], today)
            return None
        gives_up = self.random.random() < 0.1
        patience = today + self.random.randint(3, 40) if gives_up else 10**6
        reader = Reader(today, patience, place=len(self.queue) + 1)
        if experience is not None:
            reader.likely = self.likely(len(self.queue), today, experience)
        self.queue.append(reader)
        return reader

    def likely(self, ahead: int, today: int, experience: Experience) -> date | None:
        copies = [
            OnLoan(day_of(one.borrowed), one.due)
            if one.borrowed is not None
            else OnHold(day_of(min(one.arrives, today + 5) if one.waits_for else today))
            for one in self.pieces
        ]
        title = Title(copies, LOAN_DAYS, SHELF_DAYS, self.home, self.pickup, self.travels)
        return likely_ready_by(title, ahead, day_of(today), experience)


def city(seed: int) -> Iterator[tuple[Reader, int]]:
    """Yield the holds that the city judges, with the days from placing to ready."""
    random = Random(seed)
    calendars = [
        Calendar(
            f"B{number}",
            "district",
            weekly_closed=frozenset({random.choice((1, 2, 4))}),
            closures=tuple(
                Closure(f"c{begins}", day_of(begins), day_of(begins + random.choice((1, 2, 3, 9))))
                for begins in range(random.randint(20, 60), ENDS, 70)
            ),
        )
        for number in range(4)
    ]
    shelves = []
    for _ in range(SHELVES):
        home = random.choice(calendars)
        pickup = random.choice(calendars) if random.random() < 0.4 else home
        shelves.append(Shelf(random, (home, pickup)))
    learned = Learned()
    experience: Experience | None = None
    judged: list[Reader] = []
    for today in range(ENDS):
        if today == LEARNS:
            experience = learned.experience()
        for shelf in shelves:
            shelf.pass_day(today, learned)
            comes = today < JUDGES and random.random() < shelf.demand
            if comes and shelf.home.is_open(day_of(today)):
                reader = shelf.place(today, experience)
                if reader and reader.likely:
                    judged.append(reader)
    for reader in judged:
        if reader.ready is not None:
            yield reader, reader.ready - reader.placed


SHELVES = 3000


def judge(seed: int) -> tuple[int, float, float, float]:
    """Return the number of holds, the share ready in time, and the median errors in days."""
    holds = list(city(seed))
    in_time = sum(day_of(one.ready or 0) <= (one.likely or BEGINS) for one, _ in holds)
    errors = [abs((one.likely - day_of(one.ready or 0)).days) for one, _ in holds if one.likely]
    naive = [abs(one.place * LOAN_DAYS - days) for one, days in holds]
    return len(holds), in_time / len(holds), median(errors), median(naive)


def test_eight_of_ten_holds_of_a_simulated_city_are_ready_by_the_likely_day() -> None:
    number, share, error, naive = judge(seed=2021)
    assert number >= 10_000
    assert 0.77 <= share <= 0.83
    assert error < naive
