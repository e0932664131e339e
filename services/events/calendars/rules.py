"""The days on which a branch is open, as notices has published its calendar."""

from dataclasses import dataclass
from datetime import date, datetime

WHOLE_WEEK = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Closure:
    """A span in which a branch is closed, as its last announcement says."""

    id: str
    starts_on: date
    reopened_on: date | None
    """First open day; None: no end announced."""

    def covers(self, day: date) -> bool:
        """Return whether the branch is closed on `day` by this closure."""
        return self.starts_on <= day and (self.reopened_on is None or day < self.reopened_on)


@dataclass(frozen=True, slots=True)
class Week:
    """The weekdays with hours (0 is Monday), from a day on."""

    version: int
    """Version of the branch that announced them."""
    from_: date
    open: frozenset[int]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of a reopening, from its day on."""

    version: int
    from_: date
    open: frozenset[int] | None
    """Weekdays with special hours; None: those of the week."""


@dataclass(frozen=True, slots=True)
class Period:
    """Days on which the study room has other hours than usual."""

    from_: date
    until: date
    """Last day of the period."""
    open: frozenset[int]


@dataclass(frozen=True, slots=True)
class RoomHours:
    """The hours of a study room that has hours of its own."""

    open: frozenset[int]
    periods: tuple[Period, ...] = ()

    def is_open(self, day: date) -> bool:
        """Return whether the room has hours on `day`, without regard to closures."""
        found = next((one for one in self.periods if one.from_ <= day <= one.until), self)
        return day.weekday() in found.open


@dataclass(frozen=True, slots=True)
class Trigger:
    """The event that brought the calendar; what follows from it names this event."""

    at: datetime
    """Business time."""
    correlation_id: str
    causation_id: str


@dataclass(frozen=True, kw_only=True)
class BranchCalendar:
    """One branch as notices has published it; `version` is that of the last snapshot."""

    id: str
    """Code of the branch."""
    version: int
    weeks: tuple[Week, ...]
    """All weekly hours in the order of announcement; the first also hold before their day."""
    closures: tuple[Closure, ...] = ()
    terms: tuple[Terms, ...] = ()
    room: RoomHours | None = None
    """The hours of the study room; None: those of the branch."""
    unsettled: Trigger | None = None
    """Set until bookings and places in the study room follow this calendar; a job does it."""
    writes: int = 0
    """Counts what was decided by this calendar, so that concurrent changes of it conflict."""

    def closure_on(self, day: date) -> Closure | None:
        """Return a closure that covers `day`, or None."""
        return next((one for one in self.closures if one.covers(day)), None)

    def has_sessions(self, day: date) -> bool:
        """Return whether the study room is open on `day`."""
        if self.closure_on(day) is not None:
            return False
        return self.room.is_open(day) if self.room else self._is_weekday_open(day)

    def _is_weekday_open(self, day: date) -> bool:
        """Return whether the branch has hours on `day`, by the rule of notices."""
        begun = [week for week in self.weeks if week.from_ <= day]
        week = max(begun, key=lambda one: (one.from_, one.version), default=self.weeks[0])
        agreed = [one for one in self.terms if one.from_ <= day]
        terms = max(agreed, key=lambda one: (one.from_, one.version), default=None)
        opens = week.open
        if terms and terms.open is not None and not terms.from_ <= week.from_ <= day:
            opens = terms.open
        return day.weekday() in opens
