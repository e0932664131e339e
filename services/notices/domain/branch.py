"""A branch: its hours, and every closure of it with every end that was announced.

A branch is one aggregate. One version counts the changes of hours and closures together, so that
a snapshot of it is a whole calendar.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime
from itertools import pairwise

from services.notices.domain.refusals import BadHours, ClosureOverlaps, NeverClosed, NotInClosure


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
class Announcement:
    """What was said, once, of when a closure ends."""

    version: int
    """The branch's version that this announcement made."""
    at: datetime
    """When it was announced (business time, UTC)."""
    reopened_on: date | None
    """First open day; None: no end announced."""


@dataclass(frozen=True)
class BranchClosure:
    """A closure of this branch. The last announcement is in force; none is ever dropped."""

    closure_id: str
    starts_on: date
    reason: str
    announcements: tuple[Announcement, ...]

    @property
    def reopened_on(self) -> date | None:
        """The first open day as announced last; None: no end announced."""
        return self.announcements[-1].reopened_on

    def covers(self, day: date) -> bool:
        """Whether it closes the branch on `day`."""
        return self.starts_on <= day and not self.over(day)

    def over(self, day: date) -> bool:
        """Whether it has ended on `day`."""
        return self.reopened_on is not None and self.reopened_on <= day

    def overlaps(self, starts_on: date, reopened_on: date | None) -> bool:
        """Whether it shares a day with the span from `starts_on` until before `reopened_on`."""
        closes_a_day = self.reopened_on != self.starts_on
        begins_within = reopened_on is None or self.starts_on < reopened_on
        return closes_a_day and begins_within and not self.over(starts_on)


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


@dataclass(frozen=True)
class Branch:
    """A place that lends."""

    id: str
    """The branch code."""
    version: int
    name: str
    kind: str
    hours: tuple[Hours, ...]
    """The weekly hours."""
    hours_set_on: date
    """The library day on which they were set; special hours in force before end with it."""
    closures: tuple[BranchClosure, ...] = ()
    terms: tuple[Terms, ...] = ()
    """One for each closure whose end is announced, in the order of announcement."""

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


def change_hours(branch: Branch, hours: Iterable[Hours], today: date) -> Branch:
    """The branch with new weekly hours from `today` on. Special hours in force end with it."""
    return replace(
        branch, version=branch.version + 1, hours=checked_hours(hours), hours_set_on=today
    )


def close(
    branch: Branch,
    closure_id: str,
    starts_on: date,
    reopened_on: date | None,
    reason: str,
    *,
    at: datetime,
    today: date,
) -> Branch:
    """The branch closed from `starts_on` until before `reopened_on` (None: no end announced).

    A closure that begins while an earlier one's announced end is still ahead, and goes on past
    it, takes that end back: the earlier one then ends where this one begins, as a further
    announcement (in July 2020 a resumption announced for the 20th was revoked by the closing of
    the 15th). Any other overlap is an error of the caller: raises ClosureOverlaps. Raises
    NeverClosed if no day would be closed.
    """
    if reopened_on is not None and reopened_on <= starts_on:
        raise NeverClosed
    version = branch.version + 1
    closures: list[BranchClosure] = []
    taken_back: set[str] = set()
    for closure in branch.closures:
        if not closure.overlaps(starts_on, reopened_on):
            closures.append(closure)
            continue
        end = closure.reopened_on
        still_ahead = end is not None and end > today
        goes_past = end is not None and (reopened_on is None or reopened_on >= end)
        if not (still_ahead and goes_past and closure.starts_on < starts_on):
            raise ClosureOverlaps([branch.id])
        closures.append(_announced(closure, Announcement(version, at, starts_on)))
        taken_back.add(closure.closure_id)
    closures.append(
        BranchClosure(closure_id, starts_on, reason, (Announcement(version, at, reopened_on),))
    )
    return replace(
        branch,
        version=version,
        closures=tuple(closures),
        # Terms of a reopening that does not come are never in force.
        terms=tuple(terms for terms in branch.terms if terms.closure_id not in taken_back),
    )


def reopen(branch: Branch, terms: Terms, *, at: datetime) -> Branch:
    """The branch with the end of closure `terms.closure_id` announced for `terms.starts_on`.

    It may be announced again, for a later or an earlier day; each announcement is kept, and the
    latest terms are in force. The same announcement again changes nothing. A closure taken back
    before it began may end on its first day. Raises NotInClosure; NeverClosed for a day before
    the closure; ClosureOverlaps where the closure would run into the next one.
    """
    closure = branch.closure(terms.closure_id)
    if closure is None:
        raise NotInClosure([branch.id])
    if terms.hours is not None:
        terms = replace(terms, hours=checked_hours(terms.hours))
    if closure.reopened_on == terms.starts_on and terms in branch.terms:
        return branch
    if terms.starts_on < closure.starts_on:
        raise NeverClosed
    others = [c for c in branch.closures if c is not closure]
    if any(other.overlaps(closure.starts_on, terms.starts_on) for other in others):
        raise ClosureOverlaps([branch.id])
    version = branch.version + 1
    announcement = Announcement(version, at, terms.starts_on)
    return replace(
        branch,
        version=version,
        closures=tuple(_announced(c, announcement) if c is closure else c for c in branch.closures),
        terms=(*(t for t in branch.terms if t.closure_id != terms.closure_id), terms),
    )


def _announced(closure: BranchClosure, announcement: Announcement) -> BranchClosure:
    return replace(closure, announcements=(*closure.announcements, announcement))


def terms_on(branch: Branch, day: date) -> Terms | None:
    """The terms in force on `day`: those of the latest reopening up to then."""
    begun = [terms for terms in branch.terms if terms.starts_on <= day]
    return max(begun, key=lambda terms: terms.starts_on, default=None)


def day_of(branch: Branch, day: date) -> BranchDay:
    """What a visitor finds on `day`. A closed branch offers nothing, whatever its terms."""
    closure = next((c for c in branch.closures if c.covers(day)), None)
    if closure is not None:
        return BranchDay(day, False, (), (), (), None, closure)
    terms = terms_on(branch, day) or Terms("", day)
    hours = branch.hours
    if terms.hours is not None and not terms.starts_on <= branch.hours_set_on <= day:
        hours = terms.hours
    today = tuple(h for h in hours if h.weekday == day.weekday())
    return BranchDay(day, bool(today), today, terms.services, terms.measures, terms.capacity, None)
