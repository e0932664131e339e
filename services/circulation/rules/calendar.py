"""Calendars of branches: closures and weekly closing days, as stretches of days with causes."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Generic, Literal, Protocol, TypeVar

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


CauseKind = Literal["closure", "weekly-closing", "suspension", "policy", "withdrawal"]


@dataclass(frozen=True, slots=True)
class Cause:
    """A closure, weekly closing, fine suspension or policy row that caused something, as it stood.

    The kind `withdrawal` stands for the withdrawal of a closure that was recorded in error, under
    the closure's id.
    """

    kind: CauseKind
    id: str
    version: int
    reason: str

    def __str__(self) -> str:
        return f"{self.kind} {self.id} (version {self.version}): {self.reason}"


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Closure:
    """A span in which a branch is closed: from `starts_on` to the day before `reopened_on`."""

    id: str
    starts_on: date
    reopened_on: date | None
    """First open day; None: no end announced."""
    reason: str = ""
    version: int = 1
    stagger_days: int = 1
    """Number of first open days over which the due dates that it moves are spread."""
    extra_renewals: int = 0
    """Renewals that it grants beyond the policy's while it lasts."""

    @property
    def first(self) -> date:
        """The first closed day."""
        return self.starts_on

    @property
    def last(self) -> date:
        """The last closed day."""
        return last_before(self.reopened_on)

    @property
    def cause(self) -> Cause:
        """Cause by which a statement or a moved due date names this closure."""
        return Cause("closure", self.id, self.version, self.reason)


@dataclass(frozen=True, slots=True)
class Week:
    """The weekdays on which a branch is closed, from a day on."""

    from_: date
    closed: frozenset[int]
    """ISO weekdays: 1 is Monday, 7 is Sunday."""


@dataclass(frozen=True)
class Calendar:
    """The days on which one branch is closed: some weekdays, and its closures."""

    branch_code: str
    branch_kind: str
    weekly_closed: frozenset[int] = frozenset()
    """ISO weekdays (1 is Monday, 7 is Sunday) closed until the first of `weeks`."""
    closures: tuple[Closure, ...] = ()
    version: int = 1
    weeks: tuple[Week, ...] = ()
    """Later weekly closing days, in order; each holds until the next begins."""

    def is_open(self, day: date) -> bool:
        """Return whether the branch is open on `day`."""
        return day.isoweekday() not in self._week(day).closed and self._stretch_over(day) is None

    def next_open(self, day: date) -> date | None:
        """Return the first open day on or after `day`; None if no reopening is announced."""
        while not self.is_open(day):
            stretch = self._stretch_over(day)
            closed_to = stretch.last if stretch else self._shut_weeks_to(day)
            if closed_to == NO_END:
                return None
            day = closed_to + DAY
        return day

    def due_date(self, on: date, days: int) -> date:
        """Return the first open day at least `days` days after `on`.

        If no reopening is announced, returns that day itself; the announcement will move it.
        """
        due_on = on + timedelta(days=days)
        return self.next_open(due_on) or due_on

    def open_day_after(self, on: date, days: int) -> date | None:
        """Return the `days`-th open day after `on`; None if that day is not announced."""
        day: date | None = on
        for _ in range(days):
            if day is None:
                return None
            day = self.next_open(day + DAY)
        return day

    def next_due(self, day: date, number: int) -> date | None:
        """Return the day that a due date on `day` moves to; None if no reopening is announced.

        This is `next_open`, unless the closure that ends there staggers due dates over its first
        open days. Then `number`, any number, picks one of these days.
        """
        due = self.next_open(day)
        stretch = self._stretch_over(day)
        if due is None or stretch is None:
            return due
        ending = (closure for closure in stretch.periods if closure.last == stretch.last)
        days = max(closure.stagger_days for closure in ending)
        for _ in range(number % days):
            later = self.next_open(due + DAY)
            if later is None:  # closed again before the last of these days
                break
            due = later
        return due

    def previous_open(self, day: date) -> date | None:
        """Return the last open day on or before `day`; None if the branch never opened."""
        while not self.is_open(day):
            stretch = self._stretch_over(day)
            first = stretch.first if stretch else self._shut_weeks_from(day)
            if first == date.min:
                return None
            day = first - DAY
        return day

    def next_closed(self, day: date) -> date | None:
        """Return the first closed day on or after `day`; None if there is none."""
        at = self._find(day)
        closure = max(self._shut[at].first, day) if at < len(self._shut) else None
        weekday = self._next_closed_weekday(day, closure or NO_END)
        return min((d for d in (closure, weekday) if d is not None), default=None)

    def extra_renewals(self, day: date) -> int:
        """Return the renewals that the closures in force on `day` grant beyond the policy's.

        Of several closures, the one that grants most counts.
        """
        stretch = self._stretch_over(day)
        granted = stretch.within(day, day) if stretch else ()
        return max((closure.extra_renewals for closure in granted), default=0)

    def other_week(self, before: "Calendar") -> date | None:
        """Return the first day with other weekly closing days than `before`; None if there is none.

        Closures do not count.
        """
        begins = (date.min, *sorted(week.from_ for week in (*self.weeks, *before.weeks)))
        differ = (day for day in begins if self.shut_weekdays(day) != before.shut_weekdays(day))
        return next(differ, None)

    def shut_weekdays(self, day: date) -> frozenset[int]:
        """Return the weekly closing days in force on `day`, as ISO weekdays."""
        return self._week(day).closed

    def closure_on(self, day: date) -> Closure | None:
        """Return the closure in force on `day` that began first; None if there is none."""
        stretch = self._stretch_over(day)
        return stretch.within(day, day)[0] if stretch else None

    def closed_runs(
        self, first: date, last: date
    ) -> Iterator[tuple[date, date, tuple[Cause, ...]]]:
        """Yield each run of closed days from `first` to `last`, with its causes."""
        begins = self.next_closed(first)
        while begins is not None and begins <= last:
            reopens = self.next_open(begins)
            ends = min(last, last_before(reopens))
            yield begins, ends, self._causes(begins, ends)
            begins = self.next_closed(reopens) if reopens else None

    def _causes(self, first: date, last: date) -> tuple[Cause, ...]:
        """Return the causes of a run of closed days, `first` to `last`."""
        causes = []
        days_by_closure = 0
        for at in range(self._find(first), len(self._shut)):
            stretch = self._shut[at]
            if stretch.first > last:
                break
            causes += [closure.cause for closure in stretch.within(first, last)]
            days_by_closure += (min(last, stretch.last) - max(first, stretch.first)).days + 1
        if days_by_closure <= (last - first).days:
            causes += self._weekly_causes(first, last)
        return tuple(causes)

    def _weekly_causes(self, first: date, last: date) -> list[Cause]:
        """Return a cause for each set of weekly closing days in force from `first` to `last`."""
        begun = self._weeks[self._week_at(first) : self._week_at(last) + 1]
        named = dict.fromkeys(week.closed for week in begun if week.closed)
        return [
            Cause("weekly-closing", self.branch_code, self.version, f"closed every {days}")
            for days in (
                ", ".join(WEEKDAYS[weekday - 1] for weekday in sorted(closed)) for closed in named
            )
        ]

    @cached_property
    def _weeks(self) -> tuple[Week, ...]:
        return (Week(date.min, self.weekly_closed), *self.weeks)

    def _week_at(self, day: date) -> int:
        return bisect_right(self._weeks, day, key=lambda week: week.from_) - 1

    def _week(self, day: date) -> Week:
        return self._weeks[self._week_at(day)]

    def _shut_weeks_to(self, day: date) -> date:
        """Return the last closed day of the weekly closing that covers `day`, a closed weekday.

        This is `day` itself, unless the branch closes on all seven weekdays.
        """
        at = self._week_at(day)
        if len(self._weeks[at].closed) < len(WEEKDAYS):
            return day
        return self._weeks[at + 1].from_ - DAY if at + 1 < len(self._weeks) else NO_END

    def _shut_weeks_from(self, day: date) -> date:
        """Return the first closed day of the weekly closing that covers `day`, a closed weekday.

        This is `day` itself, unless the branch closes on all seven weekdays.
        """
        week = self._week(day)
        return day if len(week.closed) < len(WEEKDAYS) else week.from_

    def _next_closed_weekday(self, day: date, last: date) -> date | None:
        """Return the first closed weekday from `day` to `last`; None if there is none."""
        for at in range(self._week_at(day), len(self._weeks)):
            day = max(day, self._weeks[at].from_)
            ends = self._weeks[at + 1].from_ - DAY if at + 1 < len(self._weeks) else NO_END
            waits = [(weekday - day.isoweekday()) % 7 for weekday in self._weeks[at].closed]
            if waits and min(waits) <= (min(ends, last) - day).days:
                return day + timedelta(days=min(waits))
            if ends >= last:
                break
        return None

    @cached_property
    def _shut(self) -> tuple[Stretch[Closure], ...]:
        return merge(self.closures)

    def _find(self, day: date) -> int:
        """Return the index in `_shut` of the stretch that covers `day`, or else of the next one."""
        return bisect_left(self._shut, day, key=lambda stretch: stretch.last)

    def _stretch_over(self, day: date) -> Stretch[Closure] | None:
        at = self._find(day)
        return self._shut[at] if at < len(self._shut) and self._shut[at].first <= day else None
