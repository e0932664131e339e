"""A branch's calendar with its past: every end that was ever announced for each closure."""

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property

from services.circulation.domain.calendar import Calendar, Closure
from services.circulation.domain.period import NO_END, merge


@dataclass(frozen=True, slots=True)
class Announcement:
    """What was said, once, of when a closure ends."""

    version: int
    """The branch's version that this announcement made."""
    at: datetime
    reopened_on: date | None
    """The first open day; None: no end announced."""


@dataclass(frozen=True, slots=True)
class AnnouncedClosure:
    """A closure with all announcements of its end, oldest first. The last one is in force."""

    id: str
    starts_on: date
    reason: str
    announcements: tuple[Announcement, ...]

    def as_of(self, version: int) -> Closure | None:
        """The closure as it was announced at a version of the branch; None before its first."""
        heard = [a for a in self.announcements if a.version <= version]
        if not heard:
            return None
        return Closure(self.id, self.starts_on, heard[-1].reopened_on, self.reason, len(heard))


@dataclass(frozen=True)
class BranchCalendar:
    """What notices has told of one branch. `version` is that of its last snapshot."""

    id: str
    """The branch code."""
    version: int
    kind: str
    weekly_closed: frozenset[int] = frozenset()
    """ISO weekdays: 1 is Monday, 7 is Sunday."""
    closures: tuple[AnnouncedClosure, ...] = ()

    @cached_property
    def now(self) -> Calendar:
        """The calendar in force."""
        return self.as_of(self.version)

    def as_of(self, version: int) -> Calendar:
        """The calendar as it was announced at `version`, with the weekly hours of today."""
        closures = (closure.as_of(version) for closure in self.closures)
        return Calendar(
            branch_code=self.id,
            branch_kind=self.kind,
            weekly_closed=self.weekly_closed,
            closures=tuple(closure for closure in closures if closure is not None),
            version=version,
        )

    def announced_since(self, version: int) -> tuple[Announcement, ...]:
        """What was announced after `version`, in order; of several at once, one stands for all."""
        later = {
            announcement.version: announcement
            for closure in self.closures
            for announcement in closure.announcements
            if announcement.version > version
        }
        return tuple(later[made] for made in sorted(later))

    def movable(self) -> tuple[tuple[date, date], ...]:
        """Spans, first and last day, that hold each due date which an announcement can move.

        They are the stretches of closed days, with an end, of the calendar at each announcement.
        """
        return tuple(
            sorted(
                {
                    (stretch.first, stretch.last)
                    for announced in self.announced_since(0)
                    for stretch in merge(self.as_of(announced.version).closures)
                    if stretch.last != NO_END
                }
            )
        )
