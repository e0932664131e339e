"""A branch: its hours, and every closure of it with all that was ever announced of each.

A branch is one aggregate. One version counts the changes of hours and closures together, so that
a snapshot of it is a whole calendar, with its past.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Literal

from services.notices.domain.refusals import (
    BadHours,
    ClosedAlready,
    ClosureOver,
    ClosureWithdrawn,
    NeverClosed,
    NotInClosure,
    ReopenedAlready,
)

Withdrawal = Literal["ended", "in-error"]
"""A closure that counts no longer from a day on, or one that never should have been recorded."""


@dataclass(frozen=True)
class Hours:
    """One stretch of opening hours; a weekday may have several, and is closed without any."""

    weekday: int
    """0 is Monday."""
    opens: str
    """As `09:00`."""
    closes: str
    """As `20:00`; `24:00` is the end of the day."""


@dataclass(frozen=True)
class WeeklyHours:
    """The hours of a week, from a day on."""

    version: int
    """The branch's version that announced them."""
    from_: date
    hours: tuple[Hours, ...]


@dataclass(frozen=True)
class Terms:
    """Under what terms a branch reopens, from `starts_on` on."""

    closure_id: str
    starts_on: date
    services: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    capacity: int | None = None
    """How many visitors may be inside; None: no limit."""
    hours: tuple[Hours, ...] | None = None
    """Special hours; None: the weekly ones."""
    stagger_days: int = 1
    """Over how many of the first open days the due dates are spread that it moves."""


@dataclass(frozen=True)
class Announcement:
    """A closure as it was announced, once."""

    version: int
    """The branch's version that this announcement made."""
    at: datetime
    """When it was announced (business time, UTC)."""
    starts_on: date
    """First closed day."""
    reopened_on: date | None
    """First open day; None: no end announced."""
    reason: str
    terms: Terms | None = None
    """Of the reopening; None: none were announced."""
    withdrawn: Withdrawal | None = None


@dataclass(frozen=True)
class BranchClosure:
    """A closure of this branch. The last announcement is in force; none is ever dropped."""

    closure_id: str
    announcements: tuple[Announcement, ...]
    extra_renewals: int = 0
    """How many more renewals it grants for as long as it lasts."""

    @property
    def now(self) -> Announcement:
        """What is in force."""
        return self.announcements[-1]

    def covers(self, day: date) -> bool:
        """Whether it closes the branch on `day`."""
        return self.now.starts_on <= day and not self.over(day)

    def over(self, day: date) -> bool:
        """Whether it has ended on `day`."""
        return self.now.reopened_on is not None and self.now.reopened_on <= day


@dataclass(frozen=True)
class Branch:
    """A place that lends."""

    id: str
    """The branch code."""
    version: int
    name: str
    kind: str
    weekly: tuple[WeeklyHours, ...]
    """All weekly hours that were ever announced, in the order of announcement."""
    closures: tuple[BranchClosure, ...] = ()

    @property
    def hours(self) -> tuple[Hours, ...]:
        """The weekly hours that begin last."""
        return max(self.weekly, key=lambda week: (week.from_, week.version)).hours

    @property
    def terms(self) -> tuple[Terms, ...]:
        """Of each reopening that is to come or has come, in the order of announcement."""
        said = sorted((c.now for c in self.closures), key=lambda a: a.version)
        return tuple(a.terms for a in said if a.terms is not None)

    def closure(self, closure_id: str) -> BranchClosure | None:
        """What closure `closure_id` is for this branch; None if it does not cover it."""
        return next((c for c in self.closures if c.closure_id == closure_id), None)


@dataclass(frozen=True)
class BranchDay:
    """What a visitor finds at a branch on one day."""

    on: date
    open: bool
    hours: tuple[Hours, ...]
    services: tuple[str, ...]
    measures: tuple[str, ...]
    capacity: int | None
    closure: BranchClosure | None


def checked_hours(hours: Iterable[Hours]) -> tuple[Hours, ...]:
    """The hours in order of the week. Raises BadHours where one ends too early or two overlap."""
    ordered = tuple(sorted(hours, key=lambda h: (h.weekday, h.opens)))
    for one in ordered:
        if one.opens >= one.closes:
            raise BadHours(f"Hours end before they begin: {one.opens} to {one.closes}.")
    for one, following in pairwise(ordered):
        if one.weekday == following.weekday and following.opens < one.closes:
            raise BadHours(f"Hours of one day overlap: {one.opens} and {following.opens}.")
    return ordered


def register(code: str, name: str, kind: str, hours: Iterable[Hours], today: date) -> Branch:
    """A new branch. Raises BadHours."""
    return Branch(code, 1, name, kind, (WeeklyHours(1, today, checked_hours(hours)),))


def change_hours(branch: Branch, hours: Iterable[Hours], from_: date) -> Branch:
    """The branch with other weekly hours from a day on; the days before keep theirs.

    Special hours in force on that day end with it. Hours for which a later first day was
    announced begin on theirs. Raises BadHours.
    """
    version = branch.version + 1
    weekly = (*branch.weekly, WeeklyHours(version, from_, checked_hours(hours)))
    return replace(branch, version=version, weekly=weekly)


def close(
    branch: Branch,
    closure_id: str,
    starts_on: date,
    reopened_on: date | None,
    reason: str,
    *,
    at: datetime,
    extra_renewals: int = 0,
) -> Branch:
    """The branch closed from `starts_on` until before `reopened_on` (None: no end announced).

    Closures may overlap: the branch is closed while one of them lasts. So a further one that
    goes on past an announced reopening takes that reopening back, and if it is withdrawn the
    reopening stands again. `starts_on` may be past. Raises NeverClosed if no day would be closed,
    and ClosedAlready for one that closes the same days for the same reason.
    """
    said = Announcement(branch.version + 1, at, starts_on, reopened_on, reason)
    _check_days(said)
    same = (starts_on, reopened_on, reason, None)
    if any(
        (c.now.starts_on, c.now.reopened_on, c.now.reason, c.now.withdrawn) == same
        for c in branch.closures
    ):
        raise ClosedAlready([branch.id])
    closure = BranchClosure(closure_id, (said,), extra_renewals)
    return replace(branch, version=said.version, closures=(*branch.closures, closure))


def reopen(branch: Branch, terms: Terms, *, at: datetime) -> Branch:
    """The branch with the end of closure `terms.closure_id` announced for `terms.starts_on`.

    It may be announced again, for a later or an earlier day; each announcement is kept, and the
    last is in force. The same announcement again changes nothing. A closure taken back before it
    began may end on its first day. Where another closure lasts longer the branch stays closed.
    Raises NotInClosure, ClosureWithdrawn, BadHours; NeverClosed for a day before the closure.
    """
    closure = _standing(branch, terms.closure_id)
    if terms.hours is not None:
        terms = replace(terms, hours=checked_hours(terms.hours))
    if terms.starts_on < closure.now.starts_on:
        raise NeverClosed
    return _announce(branch, closure, at, reopened_on=terms.starts_on, terms=terms)


def take_back_reopening(branch: Branch, closure_id: str, *, at: datetime, today: date) -> Branch:
    """The branch closed again without an announced end: the reopening of `closure_id` won't come.

    Without an announced end nothing changes. Raises NotInClosure, ClosureWithdrawn;
    ReopenedAlready if the branch has reopened by `today`.
    """
    closure = _standing(branch, closure_id)
    if closure.over(today):
        raise ReopenedAlready([branch.id])
    return _announce(branch, closure, at, reopened_on=None, terms=None)


def amend(
    branch: Branch, closure_id: str, *, starts_on: date | None, reason: str | None, at: datetime
) -> Branch:
    """The branch with another first day or reason of a closure; None leaves it as it is.

    Raises NotInClosure, ClosureWithdrawn; NeverClosed if no day would be closed.
    """
    closure = _standing(branch, closure_id)
    amended = _announce(
        branch,
        closure,
        at,
        starts_on=starts_on or closure.now.starts_on,
        reason=reason or closure.now.reason,
    )
    if starts_on is not None and (said := amended.closure(closure_id)):
        _check_days(said.now)
    return amended


def withdraw(
    branch: Branch, closure_id: str, *, in_error: bool, at: datetime, today: date
) -> Branch:
    """The branch without a closure from `today` on or, where it was an error, altogether.

    One that was withdrawn may be declared an error later. The same again changes nothing.
    Raises NotInClosure; ClosureOver if it had ended by `today` and was no error.
    """
    if (closure := branch.closure(closure_id)) is None:
        raise NotInClosure([branch.id])
    if closure.now.withdrawn == "in-error" or (closure.now.withdrawn and not in_error):
        return branch
    first = closure.now.starts_on
    if in_error:
        return _announce(branch, closure, at, reopened_on=first, terms=None, withdrawn="in-error")
    if closure.over(today):
        raise ClosureOver([branch.id])
    end = max(first, today)
    return _announce(branch, closure, at, reopened_on=end, terms=None, withdrawn="ended")


def _standing(branch: Branch, closure_id: str) -> BranchClosure:
    """The closure, if it is there to be changed."""
    if (closure := branch.closure(closure_id)) is None:
        raise NotInClosure([branch.id])
    if closure.now.withdrawn:
        raise ClosureWithdrawn([branch.id])
    return closure


def _check_days(said: Announcement) -> None:
    if said.reopened_on is not None and said.reopened_on <= said.starts_on:
        raise NeverClosed


def _announce(branch: Branch, closure: BranchClosure, at: datetime, **change: Any) -> Branch:
    """The branch with one more announcement of a closure; the same if it says nothing new."""
    if replace(closure.now, **change) == closure.now:
        return branch
    said = replace(closure.now, version=branch.version + 1, at=at, **change)
    announced = replace(closure, announcements=(*closure.announcements, said))
    closures = tuple(announced if c is closure else c for c in branch.closures)
    return replace(branch, version=said.version, closures=closures)


def terms_on(branch: Branch, day: date) -> Terms | None:
    """The terms in force on `day`: those of the latest reopening up to then."""
    begun = [terms for terms in branch.terms if terms.starts_on <= day]
    return max(begun, key=lambda terms: terms.starts_on, default=None)


def week_on(branch: Branch, day: date) -> WeeklyHours:
    """The weekly hours in force on `day`; before the first ones, those."""
    begun = [week for week in branch.weekly if week.from_ <= day]
    return max(begun, key=lambda week: (week.from_, week.version), default=branch.weekly[0])


def day_of(branch: Branch, day: date) -> BranchDay:
    """What a visitor finds on `day`. A closed branch offers nothing, whatever its terms."""
    closure = next((c for c in branch.closures if c.covers(day)), None)
    if closure is not None:
        return BranchDay(day, False, (), (), (), None, closure)
    terms = terms_on(branch, day) or Terms("", day)
    week = week_on(branch, day)
    hours = week.hours
    if terms.hours is not None and not terms.starts_on <= week.from_ <= day:
        hours = terms.hours
    today = tuple(h for h in hours if h.weekday == day.weekday())
    return BranchDay(day, bool(today), today, terms.services, terms.measures, terms.capacity, None)
