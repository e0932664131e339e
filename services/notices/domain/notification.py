"""A notification: that one patron was told of one thing, in facts that become text when read."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from uuid import UUID, uuid5

from services.notices.domain.patron import Patron

_NAMESPACE = UUID("5f0c3b0e-8d0a-4c56-9d0f-0b8f6c1d7a11")


@dataclass(frozen=True)
class About:
    """The facts of a notification. Ids stand for titles and names; money is in cents of HKD."""

    loan_id: str | None = None
    title_id: str | None = None
    due_on: date | None = None
    previous_due_on: date | None = None
    notice: int | None = None
    """The how manieth of an overdue loan; None: the first."""
    as_of: date | None = None
    """The day for which the money is worked out."""
    suspended: bool | None = None
    """Whether fines are suspended for this loan; then no amount is named."""
    amount_cents: int | None = None
    outstanding_cents: int | None = None
    refund_due_cents: int | None = None
    refunded: bool | None = None
    """Whether the amount was given back; None: it was not."""
    charge_id: str | None = None
    charge_kind: str | None = None
    """`lost`, `lost-processing` or `hold-fee`; None: a fine."""
    suspension_id: str | None = None
    starts_on: date | None = None
    resumes_on: date | None = None
    branch: str | None = None
    reopened_on: date | None = None
    activity_id: str | None = None
    begins_at: datetime | None = None
    """When a moved activity begins, UTC."""
    venue: str | None = None
    """Where it takes place then."""
    hold_id: str | None = None
    shelf_until: date | None = None
    """The last day on which an item that is kept can be collected; None: no end is announced."""
    uncollected: bool | None = None
    """Whether a hold ended because nobody came for the item."""


@dataclass(frozen=True)
class Cause:
    """An event of which several patrons are told, and how far the telling has come."""

    id: str
    """The event's id."""
    version: int
    """Counts the pages told."""
    kind: str
    """The event's topic."""
    at: datetime
    """Business time of the event (UTC, whole milliseconds)."""
    about: About
    branch: str | None = None
    """If set, those are told who followed this branch then."""
    activity_type: str | None = None
    """If set, those are told who followed activities of this type then."""
    after: str = ""
    """The last patron of the pages told so far."""
    done: bool = False

    def concerns(self, patron: Patron) -> bool:
        """Whether this patron is to be told. Of what has no followers, all who are named are."""
        if patron.erased:
            return False
        if self.branch is None and self.activity_type is None:
            return True
        then = patron.in_force(self.at)
        if then is None:
            return False
        return self.branch in then.branches or self.activity_type in then.activity_types


@dataclass(frozen=True)
class Notification:
    """What one patron was told."""

    id: str
    version: int
    patron_id: str
    kind: str
    """The topic of the event that caused it."""
    at: datetime
    """Business time of that event, UTC."""
    about: About
    read: bool = False
    withdrawn: bool = False
    """Whether preferences that were older but came later have shown that it was not wanted."""

    @property
    def unread(self) -> bool:
        """Whether it counts as unread: what is withdrawn does not."""
        return not (self.read or self.withdrawn)


def whole_milliseconds(instant: datetime) -> datetime:
    """The instant as the database keeps it, so that two of them compare the same before and after.

    Otherwise whether preferences were saved before a reopening could depend on which came first.
    """
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


def notification_id(event_id: str, patron_id: str) -> str:
    """The one id for this patron and this event, on every replica and at every delivery."""
    return str(uuid5(_NAMESPACE, f"{event_id}:{patron_id}"))


def notification(
    event_id: str, patron_id: str, kind: str, at: datetime, about: About
) -> Notification:
    """A notification of an event, not read yet."""
    return Notification(
        notification_id(event_id, patron_id), 1, patron_id, kind, whole_milliseconds(at), about
    )


def read(told: Notification) -> Notification:
    """The notification, read. What is read already stays as it is."""
    return told if told.read else replace(told, version=told.version + 1, read=True)


def withdrawn(told: Notification, withdraw: bool) -> Notification:
    """The notification taken out of the inbox, or put back as it was."""
    return replace(told, version=told.version + 1, withdrawn=withdraw)
