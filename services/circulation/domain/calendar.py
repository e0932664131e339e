"""The open days of one branch."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

from services.circulation.domain.cause import Cause
from services.circulation.domain.period import DAY, NO_END, Stretch, last_before, merge

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Closure:
    """A span in which a branch is closed: from `starts_on` until the day before `reopened_on`."""

    id: str
    starts_on: date
    reopened_on: date | None
    """The first open day; None: no end announced."""
    reason: str = ""
    version: int = 1

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
        """How a statement or a moved due date names this closure."""
        return Cause("closure", self.id, self.version, self.reason)


@dataclass(frozen=True)
class Calendar:
    """The days on which one branch is closed: some weekdays, and its closures."""

    branch_code: str
    branch_kind: str
    weekly_closed: frozenset[int] = frozenset()
    """ISO weekdays: 1 is Monday, 7 is Sunday."""
    closures: tuple[Closure, ...] = ()
    version: int = 1

    def is_open(self, day: date) -> bool:
        """Whether the branch opens on `day`."""
        return day.isoweekday() not in self.weekly_closed and self._stretch_over(day) is None

    def next_open(self, day: date) -> date | None:
        """The first open day on or after `day`; None if no reopening is announced."""
        if len(self.weekly_closed) == len(WEEKDAYS):
            return None
        while not self.is_open(day):
            stretch = self._stretch_over(day)
            closed_to = stretch.last if stretch else day
            if closed_to == NO_END:
                return None
            day = closed_to + DAY
        return day

    def previous_open(self, day: date) -> date | None:
        """The last open day on or before `day`; None if the branch never opens."""
        if len(self.weekly_closed) == len(WEEKDAYS):
            return None
        while not self.is_open(day):
            stretch = self._stretch_over(day)
            day = (stretch.first if stretch else day) - DAY
        return day

    def next_closed(self, day: date) -> date | None:
        """The first closed day on or after `day`; None if there is none."""
        waits = [(weekday - day.isoweekday()) % 7 for weekday in self.weekly_closed]
        at = self._find(day)
        if at < len(self._shut):
            waits.append(max((self._shut[at].first - day).days, 0))
        wait = min(waits, default=None)
        if wait is None or wait > (NO_END - day).days:
            return None
        return day + timedelta(days=wait)

    def closure_on(self, day: date) -> Closure | None:
        """The closure in force on `day`, the one that began first; None if there is none."""
        stretch = self._stretch_over(day)
        return stretch.within(day, day)[0] if stretch else None

    def closed_runs(
        self, first: date, last: date
    ) -> Iterator[tuple[date, date, tuple[Cause, ...]]]:
        """Each run of closed days from `first` to `last`, with all that closes the branch then."""
        begins = self.next_closed(first)
        while begins is not None and begins <= last:
            reopens = self.next_open(begins)
            ends = min(last, last_before(reopens))
            yield begins, ends, self._causes(begins, ends)
            begins = self.next_closed(reopens) if reopens else None

    def _causes(self, first: date, last: date) -> tuple[Cause, ...]:
        """What closes the branch on the closed days `first` to `last`."""
        causes = []
        days_by_closure = 0
        for at in range(self._find(first), len(self._shut)):
            stretch = self._shut[at]
            if stretch.first > last:
                break
            causes += [closure.cause for closure in stretch.within(first, last)]
            days_by_closure += (min(last, stretch.last) - max(first, stretch.first)).days + 1
        if days_by_closure <= (last - first).days:
            causes.append(self._weekly_cause)
        return tuple(causes)

    @cached_property
    def _weekly_cause(self) -> Cause:
        days = ", ".join(WEEKDAYS[weekday - 1] for weekday in sorted(self.weekly_closed))
        return Cause("weekly-closing", self.branch_code, self.version, f"closed every {days}")

    @cached_property
    def _shut(self) -> tuple[Stretch[Closure], ...]:
        return merge(self.closures)

    def _find(self, day: date) -> int:
        """The place in `_shut` of the stretch that covers `day`, or else of the next one."""
        return bisect_left(self._shut, day, key=lambda stretch: stretch.last)

    def _stretch_over(self, day: date) -> Stretch[Closure] | None:
        at = self._find(day)
        return self._shut[at] if at < len(self._shut) and self._shut[at].first <= day else None
