"""Published by notices: branches and their calendars, notices, notifications."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.event import Event


class Hours(BaseModel):
    """Opening hours of one weekday."""

    model_config = ConfigDict(frozen=True)

    weekday: int = Field(ge=0, le=6, description="0 is Monday.")
    opens: str = Field(pattern=r"^\d\d:\d\d$")
    closes: str = Field(pattern=r"^\d\d:\d\d$")


class Announcement(BaseModel):
    """What was said, once, of when a closure ends."""

    model_config = ConfigDict(frozen=True)

    version: int = Field(description="The branch's version that this announcement made.")
    at: datetime = Field(description="When it was announced (business time).")
    reopened_on: date | None = Field(description="First open day; null: no end announced.")


class ClosureOut(BaseModel):
    """A closure of one branch, with every end that was ever announced for it, oldest first.

    The last announcement is the one in force. The earlier ones are kept because a due date that
    an announcement moved never moves earlier again: so a consumer that hears only the newest
    snapshot comes to the same due dates as one that heard each.
    """

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    closure_id: str
    from_: date = Field(alias="from")
    reason: str
    announcements: tuple[Announcement, ...]

    @property
    def reopened_on(self) -> date | None:
        """The first open day as announced last; None while no end is announced."""
        return self.announcements[-1].reopened_on


class BranchSnapshot(Event):
    """A branch after a change: hours and all its closures. One version counts all of it."""

    branch: str = Field(description="Branch code.")
    name: str
    kind: str = Field(description="`central`, `major`, `district`, `small`, `mobile`, `station`.")
    hours: tuple[Hours, ...] = Field(description="Weekdays without an entry are closed.")
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
