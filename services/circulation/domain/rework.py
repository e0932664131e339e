"""Reworks: fines worked out again because days that they charged turned out to be free."""

from collections import Counter
from dataclasses import dataclass
from datetime import date

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.fines import Disposition, Span, Statement
from services.circulation.domain.period import DAY, NO_END, last_before


@dataclass(frozen=True, slots=True)
class Rework:
    """A recalculation of the fines assessed before a calendar or suspension changed."""

    id: str
    """Id of what changed: `suspension/<id>` or `branch/<code>`."""
    version: int
    """Version of the calendar or suspension that the fines are to be worked out for."""
    done: int
    """Version that the first pass has worked out the fines for."""
    settled: int
    """Version that the second pass has worked out the fines for.
    The second pass begins when every transaction from before the change has ended."""

    @property
    def subject(self) -> tuple[str, str]:
        """Kind and id of what changed."""
        kind, _, which = self.id.partition("/")
        return kind, which


def branch_rework_id(branch_code: str) -> str:
    """Return the id of the rework for a branch's calendar."""
    return f"branch/{branch_code}"


def lowered_by(before: Statement, after: Statement, branch_code: str, rework_id: str) -> str:
    """Return the id of the rework whose change freed most of the days that `before` charged.

    A rework works fines out by all that was announced, so it may lower one because of another
    change that was recorded at the same time. `rework_id` is its own id, which goes before others
    that freed as many days.
    """
    freed: Counter[str] = Counter()
    branch = branch_rework_id(branch_code)
    for charged in before.spans:
        if charged.disposition is not Disposition.CHARGED:
            continue
        # A closure moves the day after which days are overdue; None: nothing is overdue any more.
        freed[branch] += _shared_days(charged, charged.from_, after.due_on or charged.to)
        for free in after.spans:
            days = _shared_days(charged, free.from_, free.to)
            if free.disposition is Disposition.CLOSED:
                freed[branch] += days
            elif free.disposition is Disposition.SUSPENDED:
                for suspension_id in {cause.id for cause in free.causes}:
                    freed[f"suspension/{suspension_id}"] += days
    return max((rework_id, *freed), key=lambda cause: freed[cause])


def _shared_days(span: Span, first: date, last: date) -> int:
    """Return how many days of a span are in another, both ends included."""
    return max(0, (min(span.to, last) - max(span.from_, first) + DAY).days)


def newly_closed(branch: BranchCalendar, since: int) -> tuple[date, date] | None:
    """Return the first and last day that announcements after version `since` may have closed.

    Only days in this span can have become free since. Returns None if there is none.
    """
    said_since = [
        (closure, said)
        for closure in branch.closures
        for said in closure.announcements
        if said.version > since
    ]
    spans = [
        (said.starts_on or closure.starts_on, last_before(said.reopened_on))
        for closure, said in said_since
    ]
    # Weekly hours, and the beginning or end of special hours, can close any later day.
    spans += [(week.from_, NO_END) for week in branch.weeks if week.version > since]
    other_week = branch.now.other_week(branch.as_of(since))
    if other_week is not None:
        spans.append((other_week, NO_END))
    if not spans:
        return None
    return min(first for first, _ in spans), max(last for _, last in spans)
