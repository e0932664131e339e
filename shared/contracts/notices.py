"""Published by notices: branches and their calendars, notices, notifications."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Event


class Hours(BaseModel):
    """Opening hours of one weekday."""

    model_config = ConfigDict(frozen=True)

    weekday: int = Field(ge=0, le=6, description="0 is Monday.")
    opens: str = Field(pattern=r"^\d\d:\d\d$")
    closes: str = Field(pattern=r"^\d\d:\d\d$")


class WeeklyHours(BaseModel):
    """The hours of a week, from a day on."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    version: int = Field(description="The branch's version that announced them.")
    from_: date = Field(alias="from")
    hours: tuple[Hours, ...] = Field(description="Weekdays without an entry are closed.")


class Announcement(BaseModel):
    """A closure as it was announced, once: its days, its reason, and what comes after it."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    version: int = Field(description="The branch's version that this announcement made.")
    at: datetime = Field(description="When it was announced (business time).")
    reopened_on: date | None = Field(description="First open day; null: no end announced.")
    from_: date | None = Field(
        default=None, alias="from", description="First closed day; null: as the closure says."
    )
    reason: str | None = Field(default=None, description="Null: as the closure says.")
    in_error: bool = Field(
        default=False,
        description="It never should have been recorded: no day is closed by it (`reopened_on` is "
        "its first day), and the due dates that it moved are restored.",
    )
    stagger_days: int = Field(
        default=1,
        description="Over how many of the first open days the due dates are spread that it moves.",
    )
    on_terms: bool = Field(
        default=False,
        description="Whether terms of the reopening were announced: earlier special hours end.",
    )
    special_hours: tuple[Hours, ...] | None = Field(
        default=None,
        description="In force from `reopened_on` until other weekly hours begin or another "
        "reopening on terms; null: the weekly ones.",
    )


class ClosureOut(BaseModel):
    """A closure of one branch, with all that was ever announced of it, oldest first.

    The last announcement is the one in force, and `from` and `reason` are its own. A branch is
    closed while one of its closures lasts. The earlier ones are kept because a due date that
    an announcement moved never moves earlier again: so a consumer that hears only the newest
    snapshot comes to the same due dates as one that heard each.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    closure_id: str
    from_: date = Field(alias="from")
    reason: str
    announcements: tuple[Announcement, ...]
    extra_renewals: int = Field(
        default=0, description="How many more renewals it grants for as long as it lasts."
    )

    @property
    def reopened_on(self) -> date | None:
        """The first open day as announced last; None while no end is announced."""
        return self.announcements[-1].reopened_on


class BranchSnapshot(Event):
    """A branch after a change: hours and all its closures. One version counts all of it."""

    branch: str = Field(description="Branch code.")
    name: str
    kind: str = Field(description="`central`, `major`, `district`, `small`, `mobile`, `station`.")
    hours: tuple[Hours, ...] = Field(
        description="The weekly hours that begin last. Weekdays without an entry are closed."
    )
    hours_history: tuple[WeeklyHours, ...] = Field(
        default=(),
        description="All weekly hours that were ever announced, in that order. On a day those "
        "count that began last, of two that begin together the later announced; before the first "
        "day of any, the first. Empty: `hours` always.",
    )
    closures: tuple[ClosureOut, ...] = ()
    services: tuple[str, ...] = Field(default=(), description="In force since the last reopening.")
    measures: tuple[str, ...] = ()
    capacity: int | None = None


class BranchRegistered(
    BranchSnapshot,
    topic="branch.registered",
    publisher="notices",
    key="branch",
    subject="branch",
):
    """Published when a branch is registered."""


class BranchClosed(
    BranchSnapshot, topic="branch.closed", publisher="notices", key="branch", subject="branch"
):
    """Published for each branch that a closure covers, when it is recorded."""

    closure_id: str = Field(description="The closure that caused this event.")


class BranchReopened(
    BranchSnapshot, topic="branch.reopened", publisher="notices", key="branch", subject="branch"
):
    """Published for each branch whose reopening is announced."""

    closure_id: str = Field(description="The closure that ends.")
    reopened_on: date = Field(description="First open day.")


ClosureChange = Literal["amended", "reopening-taken-back", "withdrawn", "withdrawn-in-error"]


class BranchClosureChanged(
    BranchSnapshot,
    topic="branch.closure-changed",
    publisher="notices",
    key="branch",
    subject="branch",
):
    """Published for each branch whose closure is amended or withdrawn, or won't end as announced.

    What makes it end is told by branch.reopened.
    """

    closure_id: str = Field(description="The closure that is another now.")
    change: ClosureChange
    change_reason: str | None = Field(default=None, description="Why it was withdrawn.")


class BranchHoursChanged(
    BranchSnapshot,
    topic="branch.hours-changed",
    publisher="notices",
    key="branch",
    subject="branch",
):
    """Published when the weekly hours of a branch change."""


class NoticePublished(
    Event,
    topic="notice.published",
    publisher="notices",
    key="notice_id",
    subject="notice_id",
):
    """Published when staff publish a notice of some branches or of the whole library."""

    notice_id: str
    branches: tuple[str, ...] = Field(description="Branch codes; empty: the whole library.")
    title: str
    content: str
    date: date


class NotificationSnapshot(Event):
    """That a patron was told something; what it said stays in notices."""

    notification_id: str
    patron_id: str
    kind: str = Field(description="The topic of the event that caused it.")
    read: bool


class NotificationDelivered(
    NotificationSnapshot,
    topic="notification.delivered",
    publisher="notices",
    key="patron_id",
    subject="notification_id",
):
    """Published when a notification reaches the patron's inbox."""


class NotificationRead(
    NotificationSnapshot,
    topic="notification.read",
    publisher="notices",
    key="patron_id",
    subject="notification_id",
):
    """Published when the patron has read it."""
