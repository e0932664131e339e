"""The rules of due dates and fines, applied one day at a time without code of the services.

Tests compare services and published sums with them. They are slow and simple on purpose, and
written only here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

DAY = timedelta(days=1)
FAR = 3_000
"""Days after which a branch counts as closed for good."""


def days(first: date, number: int) -> Iterator[date]:
    """Yield this many days from `first` on."""
    return (first + n * DAY for n in range(number))


def next_open(day: date, is_open: Callable[[date], bool]) -> date | None:
    """Return `day` or the next open day; None if there is none within FAR days."""
    return next((one for one in days(day, FAR) if is_open(one)), None)


@dataclass(frozen=True)
class Rates:
    """The cost of chargeable days, by periods of days: `tiers` are first period and cents."""

    rate: int
    tiers: tuple[tuple[int, int], ...] = ()
    every: int = 1
    completed: bool = False
    minimum: int = 0
    forgiven: bool = False

    @property
    def cost_something(self) -> bool:
        return bool(self.rate) or any(cents for _, cents in self.tiers)

    def cents(self, number: int) -> int:
        """Return the cost of a chargeable day, counted from 1 after forgiven days of grace."""
        if self.completed:
            period, begins = divmod(number, self.every)
        else:
            period, begins = divmod(number - 1, self.every)
            period += 1
        if begins:
            return 0
        return [self.rate, *(cents for first, cents in self.tiers if first <= period)][-1]


def overdue_days(
    first: date,
    until: date,
    *,
    is_open: Callable[[date], bool],
    is_suspended: Callable[[date], bool],
    rate: int | Rates,
    cap: int | None,
    grace_days: int = 0,
    count_closed_days: bool = False,
) -> list[tuple[date, str, int]]:
    """Return each overdue day with its disposition and cents.

    `first` is the first open day from the due date on, `until` the last day that counts. `rate`
    and `cap` are in cents.
    """
    rates = rate if isinstance(rate, Rates) else Rates(rate)
    chargeable = [
        not is_suspended(day) and (is_open(day) or count_closed_days)
        for day in days(first + DAY, (until - first).days)
    ]
    in_grace = sum(chargeable) <= grace_days
    free = grace_days if rates.forgiven else 0
    raw = [rates.cents(number + 1) for number in range(max(sum(chargeable) - free, 0))]
    total = sum(raw) if cap is None else min(sum(raw), cap)
    in_grace = in_grace or total < rates.minimum
    number = owed = 0
    found: list[tuple[date, str, int]] = []
    for day, may_be_charged in zip(days(first + DAY, len(chargeable)), chargeable, strict=True):
        cents = 0
        if not may_be_charged:
            disposition = "suspended" if is_suspended(day) else "closed"
        elif in_grace or number < free:
            disposition = "grace"
            number += 1
        elif rates.cost_something and cap is not None and owed >= cap:
            disposition = "capped"
        else:
            disposition = "charged"
            number += 1
            cents = rates.cents(number - free)
            cents = cents if cap is None else min(cents, cap - owed)
        owed += cents
        found.append((day, disposition, cents))
    return found
