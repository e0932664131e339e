"""Spans in which overdue days are free. A suspension is not a closure: see the domain's words."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.domain.cause import Cause
from services.circulation.domain.period import DAY, NO_END, last_before, merge
from services.circulation.domain.refusals import (
    ResumesBeforeStart,
    SuspensionOver,
    SuspensionWithdrawn,
)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """That a suspension was taken back, when and why."""

    on: date
    in_error: bool
    """It should never have been recorded."""
    reason: str


@dataclass(frozen=True, slots=True)
class FineSuspension:
    """A span in which overdue days are free, from `starts_on` until the day before `resumes_on`.

    It covers the branches that it names by code and those of the kinds that it names. One that
    names neither covers the whole library. One that was taken back before it began, or as
    recorded in error, resumes on the day it starts and covers no day.
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
    withdrawal: Withdrawal | None = None

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

    @property
    def rework_id(self) -> str:
        """Under what id the fines assessed before it are worked out again."""
        return f"suspension/{self.id}"

    def concerns(self, branch_code: str, branch_kind: str) -> bool:
        """Whether loans of this branch are in its scope."""
        whole_library = not self.branches and not self.kinds
        return whole_library or branch_code in self.branches or branch_kind in self.kinds

    def covers(self, branch_code: str, branch_kind: str, day: date) -> bool:
        """Whether an overdue `day` of a loan of this branch is free."""
        return self.first <= day <= self.last and self.concerns(branch_code, branch_kind)


def amend(
    suspension: FineSuspension, starts_on: date, resumes_on: date | None, reason: str
) -> FineSuspension:
    """With another span or reason; `resumes_on` None takes an announced day back.

    The same suspension if nothing changes. Raises SuspensionWithdrawn or ResumesBeforeStart.
    """
    if suspension.withdrawal:
        raise SuspensionWithdrawn
    check_span(starts_on, resumes_on)
    amended = replace(suspension, starts_on=starts_on, resumes_on=resumes_on, reason=reason)
    if amended == suspension:
        return suspension
    noticed = suspension.resumption_noticed_on if resumes_on == suspension.resumes_on else None
    return replace(amended, resumption_noticed_on=noticed, version=suspension.version + 1)


def check_span(starts_on: date, resumes_on: date | None) -> None:
    """Raises ResumesBeforeStart for a suspension that would cover no day."""
    if resumes_on is not None and resumes_on <= starts_on:
        raise ResumesBeforeStart(starts_on=starts_on)


def withdraw(
    suspension: FineSuspension, *, on: date, in_error: bool, reason: str
) -> FineSuspension:
    """The suspension taken back on `on`.

    The days before `on` stay free, for patrons were told so; recorded in error, none of its days
    is. A fine that was assessed meanwhile is not raised either way. Raises SuspensionWithdrawn,
    or SuspensionOver for one whose last day is past, unless it is withdrawn as in error.
    """
    if suspension.withdrawal:
        raise SuspensionWithdrawn
    if not in_error and suspension.last < on:
        raise SuspensionOver(resumes_on=suspension.resumes_on)
    return replace(
        suspension,
        resumes_on=suspension.starts_on if in_error else max(suspension.starts_on, on),
        withdrawal=Withdrawal(on, in_error, reason),
        resumption_noticed_on=on,
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
