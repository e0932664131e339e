"""A branch with its calendar: hours, closures, reopenings."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any, Literal

from services.notices.branches import refusals
from services.notices.branches.rules.hours import Hours, ServiceHours, checked_hours
from services.notices.branches.rules.place import Place

Withdrawal = Literal["ended", "in-error"]
"""`ended`: the closure ends on a day. `in-error`: it should never have been recorded."""


@dataclass(frozen=True)
class Closed:
    """Consecutive days on which a branch is closed."""

    first: date
    reopened_on: date | None
    """First open day after them; None if no end is announced."""


def closed_days(closures: Iterable[Closed], day: date) -> Closed | None:
    """Return the first closed days with a reopening on `day` or later; None if there are none.

    Closures that overlap or adjoin count as one, because the branch does not open between them.
    """
    found: Closed | None = None
    for one in sorted(closures, key=lambda closed: closed.first):
        end = one.reopened_on
        if end is not None and (end <= one.first or end < day):
            continue
        if found is None:
            found = one
        elif found.reopened_on is not None and one.first <= found.reopened_on:
            found = Closed(found.first, end and max(found.reopened_on, end))
    return found


@dataclass(frozen=True)
class WeeklyHours:
    """The hours of a week, from a day on."""

    version: int
    """The branch's version that announced them."""
    from_: date
    hours: tuple[Hours, ...]


@dataclass(frozen=True)
class Terms:
    """The terms on which a branch reopens, from `starts_on` on."""

    closure_id: str
    starts_on: date
    services: tuple[str, ...] = ()
    measures: tuple[str, ...] = ()
    capacity: int | None = None
    """Maximum number of visitors inside; None for no limit."""
    hours: tuple[Hours, ...] | None = None
    """Special hours; None for the weekly ones."""
    stagger_days: int = 1
    """Number of first open days over which the due dates that it moves are spread."""


@dataclass(frozen=True)
class Announcement:
    """One announcement of a closure."""

    version: int
    """Version of the branch that this announcement made."""
    at: datetime
    """Time of the announcement (business time, UTC)."""
    starts_on: date
    """First closed day."""
    reopened_on: date | None
    """First open day; None if no end is announced."""
    reason: str
    terms: Terms | None = None
    """Terms of the reopening; None if none were announced."""
    withdrawn: Withdrawal | None = None


@dataclass(frozen=True)
class BranchClosure:
    """A closure of this branch. The last announcement is in force; all are kept."""

    closure_id: str
    announcements: tuple[Announcement, ...]
    extra_renewals: int = 0
    """Number of extra renewals that it grants while it lasts."""

    @property
    def now(self) -> Announcement:
        """The announcement in force."""
        return self.announcements[-1]

    def covers(self, day: date) -> bool:
        """Return whether it closes the branch on `day`."""
        return self.now.starts_on <= day and not self.over(day)

    def over(self, day: date) -> bool:
        """Return whether it has ended on `day`."""
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
    """All announced weekly hours, in the order of announcement."""
    closures: tuple[BranchClosure, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    """Its name in other languages, by language."""
    service_hours: tuple[ServiceHours, ...] = ()
    """The services with hours of their own, in order of service."""
    place: Place | None = None

    def name_in(self, language: str) -> str:
        """Return its name in a language, or else the first name."""
        return self.names.get(language, self.name)

    def service(self, service: str) -> ServiceHours:
        """Return a service with hours of its own. Raises NoSuchService."""
        for one in self.service_hours:
            if one.service == service:
                return one
        raise refusals.NoSuchService

    @property
    def hours(self) -> tuple[Hours, ...]:
        """The weekly hours with the latest first day."""
        return max(self.weekly, key=lambda week: (week.from_, week.version)).hours

    @property
    def terms(self) -> tuple[Terms, ...]:
        """The terms of each reopening, past or future, in the order of announcement."""
        announcements = sorted((c.now for c in self.closures), key=lambda a: a.version)
        return tuple(a.terms for a in announcements if a.terms is not None)

    def closure(self, closure_id: str) -> BranchClosure | None:
        """Return the closure `closure_id` of this branch; None if it does not cover the branch."""
        return next((c for c in self.closures if c.closure_id == closure_id), None)


@dataclass(frozen=True)
class BranchDay:
    """The state of a branch on one day, for a visitor."""

    on: date
    open: bool
    hours: tuple[Hours, ...]
    services: tuple[str, ...]
    measures: tuple[str, ...]
    capacity: int | None
    closure: BranchClosure | None


def register(
    code: str,
    name: str,
    kind: str,
    hours: Iterable[Hours],
    today: date,
    *,
    names: Mapping[str, str] | None = None,
) -> Branch:
    """Return a new branch. Raises BadHours."""
    weekly = (WeeklyHours(1, today, checked_hours(hours)),)
    return Branch(code, 1, name, kind, weekly, names=names or {})


def rename(branch: Branch, name: str, names: Mapping[str, str]) -> Branch:
    """Return the branch with other names; the same branch if it has them."""
    if (branch.name, branch.names) == (name, names):
        return branch
    return replace(branch, version=branch.version + 1, name=name, names=names)


def set_service(branch: Branch, changed: ServiceHours) -> Branch:
    """Return the branch with other hours of a service; the same branch if it has them."""
    if changed in branch.service_hours:
        return branch
    others = [one for one in branch.service_hours if one.service != changed.service]
    ordered = sorted((*others, changed), key=lambda one: one.service)
    return replace(branch, version=branch.version + 1, service_hours=tuple(ordered))


def remove_service(branch: Branch, service: str) -> Branch:
    """Return the branch without hours of a service. Raises NoSuchService."""
    removed = branch.service(service)
    left = tuple(one for one in branch.service_hours if one is not removed)
    return replace(branch, version=branch.version + 1, service_hours=left)


def change_hours(branch: Branch, hours: Iterable[Hours], from_: date) -> Branch:
    """Return the branch with other weekly hours from a day on; earlier days keep theirs.

    Special hours in force on that day end with it. Hours announced for a later first day begin on
    that day. Raises BadHours.
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
    """Return the branch closed from `starts_on` until before `reopened_on`.

    None as `reopened_on` means that no end is announced. Closures may overlap: the branch is closed
    while one of them lasts. So a closure that lasts beyond an announced reopening cancels that
    reopening; if the closure is withdrawn, the reopening holds again. `starts_on` may be in the
    past. Raises NeverClosed if no day would be closed, and ClosedAlready if a closure has the same
    days and reason.
    """
    announcement = Announcement(branch.version + 1, at, starts_on, reopened_on, reason)
    _check_days(announcement)
    same = (starts_on, reopened_on, reason, None)
    if any(
        (c.now.starts_on, c.now.reopened_on, c.now.reason, c.now.withdrawn) == same
        for c in branch.closures
    ):
        raise refusals.ClosedAlready(branches=[branch.id])
    closure = BranchClosure(closure_id, (announcement,), extra_renewals)
    return replace(branch, version=announcement.version, closures=(*branch.closures, closure))


def reopen(branch: Branch, terms: Terms, *, at: datetime) -> Branch:
    """Return the branch with an end of closure `terms.closure_id` on `terms.starts_on`.

    The end may be announced again, for a later or an earlier day; all announcements are kept, and
    the last is in force. Repeating an announcement changes nothing. The end may be the closure's
    first day, if it is called off before it begins. If another closure lasts longer, the branch
    stays closed. Raises NotInClosure, ClosureWithdrawn, BadHours; NeverClosed for a day before the
    closure.
    """
    closure = _standing(branch, terms.closure_id)
    if terms.hours is not None:
        terms = replace(terms, hours=checked_hours(terms.hours))
    if terms.starts_on < closure.now.starts_on:
        raise refusals.NeverClosed
    return _announce(branch, closure, at, reopened_on=terms.starts_on, terms=terms)


def cancel_reopening(branch: Branch, closure_id: str, *, at: datetime, today: date) -> Branch:
    """Return the branch without an announced end of closure `closure_id`.

    Without an announced end nothing changes. Raises NotInClosure, ClosureWithdrawn; ReopenedAlready
    if the branch has reopened by `today`.
    """
    closure = _standing(branch, closure_id)
    if closure.over(today):
        raise refusals.ReopenedAlready(branches=[branch.id])
    return _announce(branch, closure, at, reopened_on=None, terms=None)


def amend(
    branch: Branch, closure_id: str, *, starts_on: date | None, reason: str | None, at: datetime
) -> Branch:
    """Return the branch with another first day or reason of a closure; None leaves the value.

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
    if starts_on is not None and (announcement := amended.closure(closure_id)):
        _check_days(announcement.now)
    return amended


def withdraw(
    branch: Branch, closure_id: str, *, in_error: bool, at: datetime, today: date
) -> Branch:
    """Return the branch without a closure: from `today` on, or entirely if it was an error.

    A withdrawn closure may be declared an error later. Repeating a withdrawal changes nothing.
    Raises NotInClosure; ClosureOver if it had ended by `today` and was no error.
    """
    if (closure := branch.closure(closure_id)) is None:
        raise refusals.NotInClosure(branches=[branch.id])
    if closure.now.withdrawn == "in-error" or (closure.now.withdrawn and not in_error):
        return branch
    first = closure.now.starts_on
    if in_error:
        return _announce(branch, closure, at, reopened_on=first, terms=None, withdrawn="in-error")
    if closure.over(today):
        raise refusals.ClosureOver(branches=[branch.id])
    end = max(first, today)
    return _announce(branch, closure, at, reopened_on=end, terms=None, withdrawn="ended")


def _standing(branch: Branch, closure_id: str) -> BranchClosure:
    """Return the closure, if it can be changed. Raises NotInClosure or ClosureWithdrawn."""
    if (closure := branch.closure(closure_id)) is None:
        raise refusals.NotInClosure(branches=[branch.id])
    if closure.now.withdrawn:
        raise refusals.ClosureWithdrawn(branches=[branch.id])
    return closure


def _check_days(announcement: Announcement) -> None:
    if announcement.reopened_on is not None and announcement.reopened_on <= announcement.starts_on:
        raise refusals.NeverClosed


def _announce(branch: Branch, closure: BranchClosure, at: datetime, **change: Any) -> Branch:
    """Return the branch with another announcement; the same branch if it says nothing new."""
    if replace(closure.now, **change) == closure.now:
        return branch
    announcement = replace(closure.now, version=branch.version + 1, at=at, **change)
    announced = replace(closure, announcements=(*closure.announcements, announcement))
    closures = tuple(announced if c is closure else c for c in branch.closures)
    return replace(branch, version=announcement.version, closures=closures)


def terms_on(branch: Branch, day: date) -> Terms | None:
    """Return the terms in force on `day`: those of the latest reopening up to then.

    Of several on one day, the one announced last counts.
    """
    begun = [terms for terms in reversed(branch.terms) if terms.starts_on <= day]
    return max(begun, key=lambda terms: terms.starts_on, default=None)


def week_on(branch: Branch, day: date) -> WeeklyHours:
    """Return the weekly hours in force on `day`; before the first hours, the first ones."""
    begun = [week for week in branch.weekly if week.from_ <= day]
    return max(begun, key=lambda week: (week.from_, week.version), default=branch.weekly[0])


def day_of(branch: Branch, day: date) -> BranchDay:
    """Return the state of a branch on `day`. A closed branch offers nothing, whatever its terms."""
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


def is_open_at(branch: Branch, local: datetime) -> bool:
    """Return whether a branch is open at a time in the library's time zone."""
    clock = f"{local:%H:%M}"
    return any(h.opens <= clock < h.closes for h in day_of(branch, local.date()).hours)


def opens_after_closure(branch: Branch, day: date) -> date | None:
    """Return the first open day of a branch that is closed on `day`.

    None if it is not closed, or no end is announced.
    """
    closed = closed_days((Closed(c.now.starts_on, c.now.reopened_on) for c in branch.closures), day)
    first = closed.reopened_on if closed and closed.first <= day else None
    if first is None or first == day:
        return None
    week = (first + timedelta(days=days) for days in range(7))
    return next((one for one in week if day_of(branch, one).open), first)
