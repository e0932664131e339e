"""The rules of due dates and fines, applied one day at a time without code of the services.

Tests compare services and published sums with them. They are slow and simple on purpose, and
written only here.
"""

from collections.abc import Callable, Iterator
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


def overdue_days(
    first: date,
    until: date,
    *,
    is_open: Callable[[date], bool],
    is_suspended: Callable[[date], bool],
    rate: int,
    cap: int | None,
    grace_days: int = 0,
    count_closed_days: bool = False,
) -> list[tuple[date, str, int]]:
    """Return each overdue day with its disposition and cents.

    `first` is the first open day from the due date on, `until` the last day that counts. `rate`
    and `cap` are in cents.
    """
    chargeable = [
        not is_suspended(day) and (is_open(day) or count_closed_days)
        for day in days(first + DAY, (until - first).days)
    ]
    in_grace = sum(chargeable) <= grace_days
    owed = 0
    found: list[tuple[date, str, int]] = []
    for day, may_be_charged in zip(days(first + DAY, len(chargeable)), chargeable, strict=True):
        cents = 0
        if not may_be_charged:
            disposition = "suspended" if is_suspended(day) else "closed"
        elif in_grace:
            disposition = "grace"
        elif rate and cap is not None and owed >= cap:
            disposition = "capped"
        else:
            disposition = "charged"
            cents = rate if cap is None else min(rate, cap - owed)
        owed += cents
        found.append((day, disposition, cents))
    return found
