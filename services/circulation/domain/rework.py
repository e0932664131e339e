"""Fines worked out again, because days that they charged turned out to be free."""

from dataclasses import dataclass
from datetime import date

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.period import NO_END, last_before


@dataclass(frozen=True, slots=True)
class Rework:
    """That the fines assessed before a change are to be worked out again."""

    id: str
    """`suspension/<id>` or `branch/<code>`: what changed."""
    version: int
    """The version of it that they are to be worked out for."""
    done: int
    """The version that they have been worked out for."""
    settled: int
    """The version for which this was done once more, when nothing of before was under way."""

    @property
    def subject(self) -> tuple[str, str]:
        """What kind of thing changed, and which one."""
        kind, _, which = self.id.partition("/")
        return kind, which


def branch_rework_id(branch_code: str) -> str:
    """Under what id fines are worked out again for a branch's calendar."""
    return f"branch/{branch_code}"


def newly_closed(branch: BranchCalendar, since: int) -> tuple[date, date] | None:
    """The first and last day that closures or hours announced after version `since` may close.

    Only days in it can have become free since; None: there is none.
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
    # Weekly hours, and those of a reopening, close days from their first on.
    spans += [(week.from_, NO_END) for week in branch.weeks if week.version > since]
    spans += [
        (said.reopened_on, NO_END)
        for _, said in said_since
        if said.reopened_on is not None and said.special_closed
    ]
    if not spans:
        return None
    return min(first for first, _ in spans), max(last for _, last in spans)
