"""Fine suspensions: spans in which overdue days are free.

A suspension is not a closure: the two start, end and cover branches independently.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date

from services.circulation.refusals import ResumesBeforeStart, SuspensionOver, SuspensionWithdrawn
from services.circulation.rules.calendar import DAY, NO_END, Cause, last_before, merge


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """Withdrawal of a suspension: when and why."""

    on: date
    in_error: bool
    """True if the suspension should never have been recorded."""
    reason: str


@dataclass(frozen=True, slots=True)
class FineSuspension:
    """A span in which overdue days are free: from `starts_on` to the day before `resumes_on`.

    It covers branches by code and by kind; one that names neither covers the whole library. One
    that was withdrawn before it began, or as recorded in error, resumes on the day it starts and
    covers no day.
    """

    id: str
    starts_on: date
    resumes_on: date | None
    """First day that counts again; None: none announced."""
    branches: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    reason: str = ""
    version: int = 1
    resumption_noticed_on: date | None = None
    """Day on which the daily job noticed the resumption, or the suspension was withdrawn."""
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
        """Cause by which a statement names this suspension."""
        return Cause("suspension", self.id, self.version, self.reason)

    @property
    def rework_id(self) -> str:
        """Id of the rework of the fines that this suspension may lower."""
        return f"suspension/{self.id}"

    def concerns(self, branch_code: str, branch_kind: str) -> bool:
        """Return whether loans of this branch are in its scope."""
        whole_library = not self.branches and not self.kinds
        return whole_library or branch_code in self.branches or branch_kind in self.kinds

    def covers(self, branch_code: str, branch_kind: str, day: date) -> bool:
        """Return whether an overdue `day` of a loan of this branch is free."""
        return self.first <= day <= self.last and self.concerns(branch_code, branch_kind)


def amend(
    suspension: FineSuspension, starts_on: date, resumes_on: date | None, reason: str
) -> FineSuspension:
    """Return the suspension with another span or reason.

    None for `resumes_on` removes an announced day. Returns the same suspension if nothing changes.

    Raises SuspensionWithdrawn or ResumesBeforeStart.
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
    """Raise ResumesBeforeStart for a suspension that would cover no day."""
    if resumes_on is not None and resumes_on <= starts_on:
        raise ResumesBeforeStart(starts_on=starts_on)


def withdraw(
    suspension: FineSuspension, *, on: date, in_error: bool, reason: str
) -> FineSuspension:
    """Withdraw the suspension on `on`.

    The days before `on` stay free, because that was announced to patrons. If it was recorded in
    error, none of its days stays free. Fines that were assessed meanwhile are not raised in either
    case.

    Raises SuspensionWithdrawn, or SuspensionOver if its last day is past and it was not in error.
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
    """Mark the resumption as noticed on `on`, so that patrons are notified once.

    Returns the same suspension if it was marked before, or if it does not resume by `on`.
    """
    resumes_on = suspension.resumes_on
    if suspension.resumption_noticed_on or resumes_on is None or resumes_on > on:
        return suspension
    return replace(suspension, resumption_noticed_on=on, version=suspension.version + 1)


def concerning(
    suspensions: Iterable[FineSuspension], branch_code: str, branch_kind: str
) -> tuple[FineSuspension, ...]:
    """Return the suspensions whose scope includes this branch."""
    return tuple(s for s in suspensions if s.concerns(branch_code, branch_kind))


@dataclass(frozen=True, slots=True)
class Relief:
    """Suspension of a branch's fines, and its end."""

    resumes_on: date | None
    """First day that counts again; None: none announced."""


def relief_on(
    suspensions: Iterable[FineSuspension], branch_code: str, branch_kind: str, day: date
) -> Relief | None:
    """Return the relief in force for a branch on `day`; None if its fines are counted.

    Suspensions that follow one another without a gap are one relief.
    """
    for stretch in merge(concerning(suspensions, branch_code, branch_kind)):
        if stretch.first <= day <= stretch.last:
            return Relief(None if stretch.last == NO_END else stretch.last + DAY)
    return None


def ends_as_announced(
    suspension: FineSuspension,
    suspensions: Iterable[FineSuspension],
    branch_code: str,
    branch_kind: str,
    today: date,
) -> bool:
    """Return whether the fines of a branch in its scope resume on the day this suspension names.

    Returns False if another of `suspensions` keeps them suspended for longer.
    """
    if suspension.last < today:
        return relief_on(suspensions, branch_code, branch_kind, today) is None
    first = max(suspension.first, today)
    relief = relief_on(suspensions, branch_code, branch_kind, first)
    return relief is None or relief.resumes_on == suspension.resumes_on
