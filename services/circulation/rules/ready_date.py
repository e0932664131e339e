"""The day by which a waiting hold is likely ready, from how long the library's loans take.

A small simulation of the title's copies, with the same random numbers each time: each copy comes
back, goes to the next hold, is collected, read and returned again, until it is this hold's turn.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import accumulate
from random import Random

from services.circulation.rules.calendar import Calendar

SHARE = 0.8
"""Share of the holds that are ready by the likely day."""
FEWEST_LOANS = 100
"""Loans that have to have ended before anything is said."""
MOST_DAYS = 366
"""Days ahead after which nothing is said."""
TRIALS = 120
TRANSIT_DAYS = 2
"""Open days that a copy travels between two branches."""


@dataclass(frozen=True)
class Spread:
    """Counts by numbers of days."""

    counts: Mapping[int, int]

    @cached_property
    def _days(self) -> tuple[int, ...]:
        return tuple(sorted(self.counts))

    @cached_property
    def _up_to(self) -> tuple[int, ...]:
        return tuple(accumulate(self.counts[day] for day in self._days))

    @property
    def total(self) -> int:
        """Number of all."""
        return self._up_to[-1] if self._up_to else 0

    def draw(self, chance: float, least: int = 0) -> int | None:
        """Return the days at a chance from 0 to 1, of those with at least `least` days.

        Returns None if there are none.
        """
        first = bisect_left(self._days, least)
        before = self._up_to[first - 1] if first else 0
        left = self.total - before
        if not left:
            return None
        return self._days[bisect_left(self._up_to, before + 1 + int(chance * left))]


@dataclass(frozen=True)
class Experience:
    """Durations of ended loans and holds."""

    loans: Spread
    """Days from check-out to return, with renewals."""
    late: Spread
    """Days from the due date to the return, of loans that ended on or after it.
    A renewal counts as 0 days: who renews would have returned it."""
    collections: Spread
    """Days on the hold shelf until the copy was collected."""
    holds: int = 0
    """Holds that ended."""
    dropped: int = 0
    """Holds that ended without a copy, and were passed over."""
    uncollected: int = 0
    """Holds whose copy was not collected."""

    @property
    def is_enough(self) -> bool:
        """True if something can be said."""
        return self.loans.total >= FEWEST_LOANS


@dataclass(frozen=True, slots=True)
class OnLoan:
    """A copy on loan."""

    borrowed_on: date
    due_on: date


@dataclass(frozen=True, slots=True)
class OnHold:
    """A copy that is kept for another hold or on its way there."""

    since: date


@dataclass(frozen=True)
class Title:
    """The copies that a hold may get, and the terms under which they are lent."""

    copies: Sequence[OnLoan | OnHold]
    loan_days: int
    shelf_days: int
    lending: Calendar
    """Calendar of the branch that lends them."""
    pickup: Calendar
    """Calendar of the pick-up branch."""
    travels: bool
    """True if a copy has to travel to the pick-up branch."""
    seed: int = field(default=1)


def likely_ready_by(title: Title, ahead: int, on: date, experience: Experience) -> date | None:
    """Return the day by which SHARE of such holds are ready; None if too little is known.

    `ahead` is the number of waiting holds that are served before it. Also None while the pick-up
    branch is closed with no end announced, and for a day more than MOST_DAYS ahead.
    """
    if not (experience.is_enough and title.copies) or title.pickup.next_open(on) is None:
        return None
    days = sorted(_trials(title, ahead, on, experience))
    # The day on which the share is nearest to SHARE, as many holds may be ready on one day.
    at = round(SHARE * len(days)) - 1
    day = days[at]
    through = sum(one <= day for one in days) / len(days)
    earlier = [one for one in days if one < day]
    if earlier and SHARE - len(earlier) / len(days) < through - SHARE:
        day = earlier[-1]
    return day if (day - on).days <= MOST_DAYS else None


def _trials(title: Title, ahead: int, on: date, experience: Experience) -> Iterator[date]:
    random = Random(title.seed)  # noqa: S311 - no secrets
    chance = random.random
    ended = max(experience.holds, 1)
    drop, leave = experience.dropped / ended, experience.uncollected / ended
    tomorrow = on + timedelta(days=1)
    far = on + timedelta(days=2 * MOST_DAYS)

    def back(borrowed_on: date, due_on: date, since: date) -> date:
        """Return the day on which a loan comes back, at the earliest on `since`."""
        out = experience.loans.draw(chance(), (since - borrowed_on).days)
        returned = far if out is None else borrowed_on + timedelta(days=out)
        if returned > due_on:  # it can't be renewed while somebody waits
            late = experience.late.draw(chance(), max((since - due_on).days, 0))
            returned = far if late is None else due_on + timedelta(days=late)
        return title.lending.next_open(returned) or far

    def read(ready_on: date, since: date) -> date:
        """Return the day on which a copy is free again that another hold gets."""
        if chance() < leave:
            free = ready_on + timedelta(days=title.shelf_days * 7 // 5 + 1)
            return max(title.pickup.next_open(free) or far, since)
        waits = experience.collections.draw(chance(), max((since - ready_on).days, 0)) or 0
        lent_on = max(ready_on + timedelta(days=waits), since)
        return back(lent_on, title.lending.due_date(lent_on, title.loan_days), lent_on)

    for _ in range(TRIALS):
        free = [
            back(copy.borrowed_on, copy.due_on, tomorrow)
            if isinstance(copy, OnLoan)
            else read(copy.since, tomorrow)
            for copy in title.copies
        ]
        heapify(free)
        for _ in range(ahead):
            if free[0] >= far:
                break
            if chance() < drop:
                continue
            ready_on = _arrival(title, heappop(free))
            heappush(free, read(ready_on, ready_on) if ready_on else far)
        yield _arrival(title, free[0]) or far


def _arrival(title: Title, freed_on: date) -> date | None:
    """Return the day on which a copy that is free is at the pick-up branch."""
    day = title.pickup.next_open(freed_on)
    for _ in range(TRANSIT_DAYS if title.travels else 0):
        if day is None:
            return None
        day = title.pickup.next_open(day + timedelta(days=1))
    return day
