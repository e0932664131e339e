"""Spans in which overdue days are free. A suspension is not a closure: see the domain's words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.domain.cause import Cause
from services.circulation.domain.period import DAY, NO_END, last_before, merge
from services.circulation.domain.refusals import ResumesBeforeStart


@dataclass(frozen=True, slots=True)
class FineSuspension:
    """A span in which overdue days are free, from `starts_on` until the day before `resumes_on`.

    It covers the branches that it names by code and those of the kinds that it names. One that
    names neither covers the whole library.
    """

    id: str
    starts_on: date
    resumes_on: date | None
    """The first day that counts again; None: none announced."""
    branches: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    reason: str = ""
    version: int = 1
    resumption_noticed_on: date | None = None
    """When the job of the day noticed that fines are counted again."""

    @property
    def first(self) -> date:
        """The first free day."""
        return self.starts_on

    @property
    def last(self) -> date:
        """The last free day."""
        return last_before(self.resumes_on)

    @property
    def cause(self) -> Cause:
        """How a statement names this suspension."""
        return Cause("suspension", self.id, self.version, self.reason)

    def concerns(self, branch_code: str, branch_kind: str) -> bool:
        """Whether loans of this branch are in its scope."""
        whole_library = not self.branches and not self.kinds
        return whole_library or branch_code in self.branches or branch_kind in self.kinds

    def covers(self, branch_code: str, branch_kind: str, day: date) -> bool:
        """Whether an overdue `day` of a loan of this branch is free."""
        return self.first <= day <= self.last and self.concerns(branch_code, branch_kind)


def announce_resumption(suspension: FineSuspension, resumes_on: date | None) -> FineSuspension:
    """With another first day that counts again; None takes an announced day back.

    The same suspension if nothing changes. Raises ResumesBeforeStart.
    """
    if resumes_on is not None and resumes_on <= suspension.starts_on:
        raise ResumesBeforeStart(starts_on=suspension.starts_on)
    if resumes_on == suspension.resumes_on:
        return suspension
    return replace(
        suspension,
        resumes_on=resumes_on,
        resumption_noticed_on=None,
        version=suspension.version + 1,
    )


def notice_resumption(suspension: FineSuspension, on: date) -> FineSuspension:
    """Marked so that patrons are told once; the same if it was, or the day has not come by `on`."""
    resumes_on = suspension.resumes_on
    if suspension.resumption_noticed_on or resumes_on is None or resumes_on > on:
        return suspension
    return replace(suspension, resumption_noticed_on=on, version=suspension.version + 1)


def concerning(
    suspensions: Iterable[FineSuspension], branch_code: str, branch_kind: str
) -> tuple[FineSuspension, ...]:
    """Those suspensions whose scope includes this branch."""
    return tuple(s for s in suspensions if s.concerns(branch_code, branch_kind))


@dataclass(frozen=True, slots=True)
class Relief:
    """That fines are suspended, and when they are counted again."""

    resumes_on: date | None
    """None: none announced."""


def relief_on(
    suspensions: Iterable[FineSuspension], branch_code: str, branch_kind: str, day: date
) -> Relief | None:
    """The relief in force for a branch on `day`; None if its fines are counted.

    Suspensions that follow one another without a gap are one relief.
    """
    for stretch in merge(concerning(suspensions, branch_code, branch_kind)):
        if stretch.first <= day <= stretch.last:
            return Relief(None if stretch.last == NO_END else stretch.last + DAY)
    return None
