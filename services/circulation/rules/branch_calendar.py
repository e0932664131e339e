"""A branch's calendar with its history: closures and weekly hours as they were announced."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from services.circulation.rules.calendar import NO_END, Calendar, Closure, Week, merge


@dataclass(frozen=True, slots=True)
class Announcement:
    """One announcement of a closure."""

    version: int
    """Version of the branch that this announcement made."""
    at: datetime
    reopened_on: date | None
    """First open day; None: no end announced."""
    starts_on: date | None = None
    """First closed day; None: the closure's own."""
    reason: str | None = None
    """Reason for the closure; None: the closure's own."""
    in_error: bool = False
    """True if the closure should never have been recorded; due dates that it moved are restored."""
    stagger_days: int = 1
    """Number of first open days over which the due dates that the closure moves are spread."""
    on_terms: bool = False
    """True if the branch reopens on terms; earlier special hours then end."""
    special_closed: frozenset[int] | None = None
    """ISO weekdays without hours under these terms; None: the weekly closing days."""


@dataclass(frozen=True, slots=True)
class AnnouncedClosure:
    """A closure with all its announcements, oldest first. The last one is in force."""

    id: str
    starts_on: date
    reason: str
    announcements: tuple[Announcement, ...]
    extra_renewals: int = 0

    def announcement_at(self, version: int) -> Announcement | None:
        """Return the announcement in force at a version of the branch; None before the first."""
        made = [a for a in self.announcements if a.version <= version]
        return made[-1] if made else None

    def as_of(self, version: int) -> Closure | None:
        """Return the closure as announced at a version of the branch; None before the first."""
        announcement = self.announcement_at(version)
        if announcement is None:
            return None
        return Closure(
            self.id,
            announcement.starts_on or self.starts_on,
            announcement.reopened_on,
            self.reason if announcement.reason is None else announcement.reason,
            self.announcements.index(announcement) + 1,
            announcement.stagger_days,
            self.extra_renewals,
        )


@dataclass(frozen=True, slots=True)
class AnnouncedWeek:
    """Weekly closing days as they were announced."""

    version: int
    """Version of the branch that announced them."""
    from_: date
    closed: frozenset[int]
    """ISO weekdays: 1 is Monday, 7 is Sunday."""


@dataclass(frozen=True, slots=True)
class Movable:
    """A span of due dates, `first` to `last`, some of which announcements may move."""

    first: date
    last: date
    moved_only: bool = False
    """True if only a due date that was moved before can move, because a closure was in error."""


@dataclass(frozen=True)
class BranchCalendar:
    """One branch as notices has published it; `version` is that of the last snapshot."""

    id: str
    """Code of the branch."""
    version: int
    kind: str
    weekly_closed: frozenset[int] = frozenset()
    """ISO weekdays (1 is Monday, 7 is Sunday) that are closed while no `weeks` are announced."""
    closures: tuple[AnnouncedClosure, ...] = ()
    weeks: tuple[AnnouncedWeek, ...] = ()
    """All weekly closing days, in the order of announcement.
    The ones announced first also hold before the first day of any."""

    @property
    def now(self) -> Calendar:
        """Calendar in force."""
        return self.as_of(self.version)

    def as_of(self, version: int, without: frozenset[str] = frozenset()) -> Calendar:
        """Return the calendar as announced at `version`; `without` names closures to leave out."""
        key = (version, without)
        if key not in self._calendars:
            self._calendars[key] = self._calendar(version, without)
        return self._calendars[key]

    @cached_property
    def _calendars(self) -> dict[tuple[int, frozenset[str]], Calendar]:
        return {}  # a sweep asks for the same calendars for thousands of loans

    def _calendar(self, version: int, without: frozenset[str]) -> Calendar:
        standing = [closure for closure in self.closures if closure.id not in without]
        closures = (closure.as_of(version) for closure in standing)
        in_force = (closure.announcement_at(version) for closure in standing)
        first, *changes = self._weeks(version, [a for a in in_force if a is not None])
        return Calendar(
            branch_code=self.id,
            branch_kind=self.kind,
            weekly_closed=first.closed,
            closures=tuple(closure for closure in closures if closure is not None),
            version=version,
            weeks=tuple(changes),
        )

    def _weeks(self, version: int, in_force: Collection[Announcement]) -> list[Week]:
        """Return the weekly closing days in the order in which they begin.

        The first ones hold for all days before the second.
        """
        weekly = sorted(
            (week for week in self.weeks if week.version <= version),
            key=lambda week: (week.from_, week.version),
        )
        special = sorted(
            (a.reopened_on, a.version, a.special_closed)
            for a in in_force
            if a.on_terms and a.reopened_on is not None
        )
        first = min(weekly, key=lambda week: week.version, default=None)
        found = [Week(date.min, first.closed if first else self.weekly_closed)]
        for day in sorted({*(week.from_ for week in weekly), *(begins for begins, *_ in special)}):
            begun = [week for week in weekly if week.from_ <= day]
            terms = [one for one in special if one[0] <= day]
            closed = begun[-1].closed if begun else found[0].closed
            if terms and terms[-1][2] is not None:
                overruled = begun and begun[-1].from_ >= terms[-1][0]
                closed = closed if overruled else terms[-1][2]
            found.append(Week(day, closed))
        return found

    @property
    def staggers(self) -> bool:
        """True if a reopening staggers due dates."""
        return any(a.stagger_days > 1 for c in self.closures for a in c.announcements)

    def announced_since(self, version: int) -> tuple[Announcement, ...]:
        """Return the announcements after `version`, in order; of several at once, only one."""
        later = {
            announcement.version: announcement
            for closure in self.closures
            for announcement in closure.announcements
            if announcement.version > version
        }
        return tuple(later[made] for made in sorted(later))

    def errors(self, version: int) -> frozenset[str]:
        """Return the ids of the closures that were declared errors by `version`."""
        return frozenset(
            closure.id
            for closure in self.closures
            if (announcement := closure.announcement_at(version)) is not None
            and announcement.in_error
        )

    def error_announced(self, version: int) -> Closure | None:
        """Return the closure that was declared an error at `version`; None if there is none."""
        for closure in self.closures:
            if any(a.in_error and a.version == version for a in closure.announcements):
                return closure.as_of(version)
        return None

    def movable(self, since: int = 0) -> tuple[Movable, ...]:
        """Return spans that contain every due date that an announcement after `since` can move.

        They are the stretches of closed days, with an end, of the calendar at each announcement.
        For a closure in error, they are also the days from its first one on, because the dates that
        it moved are later.
        """
        closed = merge(
            stretch
            for announced in self.announced_since(since)
            for stretch in merge(self.as_of(announced.version).closures)
            if stretch.last != NO_END
        )
        errors = {
            Movable(min(a.starts_on or c.starts_on for a in c.announcements), NO_END, True)
            for c in self.closures
            if any(a.in_error and a.version > since for a in c.announcements)
        }
        return (
            *(Movable(stretch.first, stretch.last) for stretch in closed),
            *sorted(errors, key=lambda span: span.first),
        )
