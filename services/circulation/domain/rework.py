"""Fines worked out again, because days that they charged turned out to be free."""

from dataclasses import dataclass
from datetime import date

from services.circulation.domain.branch_calendar import BranchCalendar
from services.circulation.domain.period import last_before


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
    """The first and last day of all closures announced after version `since`; None: there is none.

    Only days in it can have become free since.
    """
    spans = [
        (said.starts_on or closure.starts_on, last_before(said.reopened_on))
        for closure in branch.closures
        for said in closure.announcements
        if said.version > since
    ]
    if not spans:
        return None
    return min(first for first, _ in spans), max(last for _, last in spans)
