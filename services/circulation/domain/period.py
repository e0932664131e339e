"""Periods of days, and the stretches that they cover together.

Rules work on stretches, never day by day, so a closure of ten years costs no more to compute than a
closure of one day.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Generic, Protocol, TypeVar

DAY = timedelta(days=1)
NO_END = date.max
"""The last day of a period for which no end is announced."""


class Period(Protocol):
    """Days from `first` to `last`, both included; no days if `last` is earlier."""

    @property
    def first(self) -> date:
        """The first day."""

    @property
    def last(self) -> date:
        """The last day; `NO_END` if no end is announced."""


P = TypeVar("P", bound=Period)


@dataclass(frozen=True, slots=True)
class Stretch(Generic[P]):
    """Days without a gap, `first` to `last`, and the periods that cover them, earliest first."""

    first: date
    last: date
    periods: tuple[P, ...]

    def within(self, first: date, last: date) -> tuple[P, ...]:
        """Return its periods that cover a day from `first` to `last`."""
        return tuple(p for p in self.periods if p.first <= last and p.last >= first)


def last_before(end: date | None) -> date:
    """Return the day before `end`; `NO_END` if no end is announced."""
    return NO_END if end is None else end - DAY


def merge(periods: Iterable[P]) -> tuple[Stretch[P], ...]:
    """Return the stretches that the periods cover, in order.

    Overlapping and adjoining periods form one stretch.
    """
    stretches: list[tuple[date, date, list[P]]] = []
    for period in sorted(
        (p for p in periods if p.first <= p.last), key=lambda p: (p.first, p.last)
    ):
        if stretches and (period.first - stretches[-1][1]).days <= 1:
            first, last, members = stretches[-1]
            members.append(period)
            stretches[-1] = (first, max(last, period.last), members)
        else:
            stretches.append((period.first, period.last, [period]))
    return tuple(Stretch(first, last, tuple(members)) for first, last, members in stretches)
