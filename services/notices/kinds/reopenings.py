"""Notifications about the reopening of a branch, for its followers."""

from dataclasses import dataclass
from datetime import date
from typing import Self

from services.notices.branches import store as branches_store
from services.notices.branches.rules.branch import Closed, closed_days
from services.notices.kinds.kind import AtBranch, Followers, Known
from shared.clock import library_day
from shared.contracts.notices import (
    BranchClosed,
    BranchClosureChanged,
    BranchReopened,
    BranchSnapshot,
)
from shared.translations import marked
from shared.unit_of_work import Run


@dataclass(frozen=True, kw_only=True)
class Reopening(
    AtBranch,
    events=[BranchReopened, BranchClosed, BranchClosureChanged],
    name=marked("Library reopens"),
):
    """A notification of the reopening of a branch, for its followers.

    They are notified of each announced reopening, and of each change after which the branch does
    not reopen on the day announced before, for example because another closure lasts longer.
    """

    reopened_on: date | None = None
    previous_reopened_on: date | None = None
    """Previously announced day that `reopened_on` replaces."""
    open_again: bool | None = None
    """True if the branch does not close, or no longer does, so that there is no reopening."""

    @classmethod
    async def of(cls, event: BranchSnapshot, run: Run) -> Self | None:
        """Return the facts for followers; None if the event changes nothing for them."""
        return cls.after(event, library_day(run.now, run.settings.zone))

    @classmethod
    def after(cls, event: BranchSnapshot, today: date) -> Self | None:
        """Return the facts for followers after a change of closures; None if there are none."""
        before = _closed_days(event, event.version - 1, today)
        after = _closed_days(event, event.version, today)
        previous = before.reopened_on if before else None
        reopened_on = after.reopened_on if after else None
        if isinstance(event, BranchReopened):
            reopened_on = reopened_on if after else event.reopened_on
            if reopened_on is None and previous is None:
                return None
        elif previous is None or previous == reopened_on:
            return None
        return cls(
            branch=event.branch,
            reopened_on=reopened_on,
            previous_reopened_on=previous if previous != reopened_on else None,
            open_again=True if reopened_on is None and after is None else None,
        )

    async def current(self, run: Run) -> Self | None:
        """Return the same facts unless another day was announced since, or it has come."""
        branch = await branches_store.find_one(run.database, self.branch)
        if branch is None:
            return None
        today = library_day(run.now, run.settings.zone)
        now = closed_days(
            (Closed(one.now.starts_on, one.now.reopened_on) for one in branch.closures), today
        )
        return self if (now.reopened_on if now else None) == self.reopened_on else None

    async def useful_until(self, run: Run) -> date | None:
        """Return the earlier day of the reopening and of the one that it replaces."""
        days = filter(None, (self.reopened_on, self.previous_reopened_on))
        return min(days, default=None)

    @classmethod
    def recipients(cls, event: BranchSnapshot) -> Followers:
        """Return the followers of the branch."""
        return Followers(branch=event.branch)

    @property
    def is_usual(self) -> bool:
        """False if no day of a reopening is announced any more."""
        return self.reopened_on is not None

    def texts(self, known: Known) -> list[str]:
        """Return sentences with the reopening day and the announced day that no longer applies."""
        if self.reopened_on and self.previous_reopened_on:
            return [
                marked(
                    "{branch} reopens on {reopened_on}, not on {previous_reopened_on} as "
                    "announced before."
                )
            ]
        if self.reopened_on:
            return [marked("{branch} reopens on {reopened_on}.")]
        if self.open_again:
            return [
                marked(
                    "{branch} is open. It is not closed until {previous_reopened_on} as announced "
                    "before."
                )
            ]
        if self.previous_reopened_on:
            return [
                marked(
                    "{branch} does not reopen on {previous_reopened_on} as announced before. "
                    "Another day will be announced."
                )
            ]
        return [
            marked(
                "{branch} stays closed. It does not reopen on the day that was announced. "
                "Another day will be announced."
            )
        ]


def _closed_days(event: BranchSnapshot, version: int, today: date) -> Closed | None:
    """Return the closed days until the next reopening, as announced up to `version`."""
    closed = []
    for closure in event.closures:
        announced = [one for one in closure.announcements if one.version <= version]
        if announced:
            closed.append(Closed(announced[-1].from_ or closure.from_, announced[-1].reopened_on))
    return closed_days(closed, today)
