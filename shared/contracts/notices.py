"""Events of notices: branches with calendars, notices, notifications, enquiries, occupancy."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from shared.contracts.calendars import (
    ClosureOut,
    Hours,
    Relief,
    ServiceHours,
    WeeklyHours,
    relief_of,
)
from shared.contracts.event import Code, Count, Event, Id, Short, Text, Value


class BranchSnapshot(Event, publisher="notices", key="branch", subject="branch"):
    """A branch after a change: its hours and all its closures. One version counts all changes."""

    branch: Code = Field(description="Branch code.")
    name: Text
    kind: Code = Field(description="`central`, `major`, `district`, `small`, `mobile`, `station`.")
    hours: tuple[Hours, ...] = Field(
        max_length=100,
        description="The weekly hours with the last start. Weekdays without an entry are closed.",
    )
    hours_history: tuple[WeeklyHours, ...] = Field(
        default=(),
        max_length=2_000,
        description="All announced weekly hours in order of announcement. On a given day, the "
        "hours that began last count; with the same start, those announced later; before the first "
        "start, the first in the list. Empty: always `hours`.",
    )
    closures: tuple[ClosureOut, ...] = Field(default=(), max_length=5_000)
    relief: tuple[Relief, ...] = Field(
        default_factory=relief_of,
        max_length=10_000,
        description="Renewals that `closures` grant beyond a loan's policy, in spans that do not "
        "overlap, oldest first. Of several closures on one day, the one that grants most counts.",
    )
    services: tuple[Text, ...] = Field(
        default=(), max_length=200, description="In force since the last reopening."
    )
    measures: tuple[Text, ...] = Field(default=(), max_length=200)
    capacity: Count | None = None
    names: Mapping[Code, Text] = Field(
        default={}, max_length=3, description="Its name in other languages, by language."
    )
    service_hours: tuple[ServiceHours, ...] = Field(
        default=(),
        max_length=20,
        description="Services with hours of their own. They are closed while a closure closes the "
        "branch, whatever their hours.",
    )


class BranchRegistered(BranchSnapshot, topic="branch.registered"):
    """Published when a branch is registered."""


class BranchClosed(BranchSnapshot, topic="branch.closed"):
    """Published for each branch that a closure covers, when it is recorded."""

    closure_id: Id = Field(description="The closure that caused this event.")


class BranchReopened(BranchSnapshot, topic="branch.reopened"):
    """Published for each branch whose reopening is announced."""

    closure_id: Id = Field(description="The closure that ends.")
    reopened_on: date = Field(description="First open day.")


ClosureChange = Literal["amended", "reopening-taken-back", "withdrawn", "withdrawn-in-error"]


class BranchClosureChanged(BranchSnapshot, topic="branch.closure-changed"):
    """Published for each branch when its closure is amended, withdrawn, or loses its announced end.

    An announced reopening is published as branch.reopened.
    """

    closure_id: Id = Field(description="The closure that changed.")
    change: ClosureChange
    change_reason: Text | None = Field(default=None, description="Reason for the withdrawal.")


class BranchHoursChanged(BranchSnapshot, topic="branch.hours-changed"):
    """Published when the hours of a branch or of its services change, or its names."""


class NoticeWording(Value):
    """The texts of a notice in one language."""

    title: Text
    content: str = Field(max_length=20_000)


class NoticeSnapshot(Event, publisher="notices", key="notice_id", subject="notice_id"):
    """A notice of some branches or of the whole library, after a change."""

    notice_id: Id
    branches: tuple[Code, ...] = Field(
        max_length=10_000, description="Branch codes; empty: the whole library."
    )
    title: Text
    content: str = Field(max_length=20_000)
    date: date
    wordings: Mapping[Code, NoticeWording] = Field(
        default={}, max_length=3, description="Its texts in other languages, by language."
    )
    amended_at: datetime | None = Field(
        default=None, description="Time of the last amendment; null: as it was published."
    )
    withdrawn: bool = Field(
        default=False, description="True if readers no longer see it; its texts are empty then."
    )


class NoticePublished(NoticeSnapshot, topic="notice.published"):
    """Published when staff publish a notice of some branches or of the whole library."""


class NoticeAmended(NoticeSnapshot, topic="notice.amended"):
    """Published when staff change the texts of a notice."""


class NoticeWithdrawn(NoticeSnapshot, topic="notice.withdrawn"):
    """Published when staff withdraw a notice: consumers stop showing it, and keep a tombstone."""


class NotificationSnapshot(Event, publisher="notices", key="patron_id", subject="notification_id"):
    """A notification to a patron, without its text, which stays in notices."""

    notification_id: Id
    patron_id: Id
    kind: Short = Field(description="Topic of the event that caused it.")
    read: bool


class NotificationDelivered(NotificationSnapshot, topic="notification.delivered"):
    """Published when a notification reaches the patron's inbox."""


class NotificationRead(NotificationSnapshot, topic="notification.read"):
    """Published when the patron reads a notification."""


EnquiryState = Literal["new", "assigned", "waiting", "answered", "closed"]


class EnquirySnapshot(Event, publisher="notices", key="enquiry_id", subject="enquiry_id"):
    """An enquiry to Ask a Librarian after a change, without its texts, which stay in notices."""

    enquiry_id: Id
    patron_id: Id | None = Field(description="Patron who asked; null: a guest, by e-mail.")
    state: EnquiryState = Field(
        description="`new`: no librarian has taken it. `assigned`: a librarian works on it. "
        "`waiting`: for the patron's reply to a question. `closed`: until the patron replies."
    )
    open: bool = Field(description="False while it is closed.")
    branch: Code | None = Field(
        default=None, description="Code of the branch whose staff are asked; null: all staff."
    )
    title_id: Id | None = Field(default=None, description="Title that the enquiry is about.")
    language: Short
    opened_at: datetime
    first_answered_at: datetime | None = None
    messages: Count = Field(description="Number of messages of the patron and the staff.")
    merged_into: Id | None = Field(
        default=None,
        description="Enquiry of the same patron or guest in which a closed one goes on; null: in "
        "none.",
    )


class EnquiryOpened(EnquirySnapshot, topic="enquiry.opened"):
    """Published when a patron or a guest asks, and for each reply, which opens it again."""


class EnquiryAssigned(EnquirySnapshot, topic="enquiry.assigned"):
    """Published when a librarian takes an enquiry (`assigned`) or passes it on (`new`).

    Also when another enquiry is merged into it, which the librarian takes with that.
    """


class EnquiryAnswered(EnquirySnapshot, topic="enquiry.answered"):
    """Published when a librarian answers (`answered`) or asks the patron something (`waiting`)."""

    outcome: Literal["bought", "not-bought"] | None = Field(
        default=None, description="Answer to a suggestion to buy something; null: to a question."
    )


class EnquiryClosed(EnquirySnapshot, topic="enquiry.closed"):
    """Published when an enquiry is closed, merged, or deleted as its guest wishes."""


class BranchOccupancy(
    Event, topic="branch.occupancy", publisher="notices", key="branch", subject="branch"
):
    """Published when the number of people inside a branch has changed: numbers, and no person.

    A branch that becomes full, busy or quiet is published at once, other changes at most once a
    minute.
    """

    branch: Code = Field(description="Branch code.")
    day: date
    at: datetime = Field(description="Business time of the numbers.")
    inside: Count = Field(description="Number of people inside.")
    capacity: Count | None = Field(description="Maximum number of people inside; null: no limit.")
    level: Literal["quiet", "busy", "full"] = Field(
        description="`busy` from 80 % of the capacity on; without a capacity always `quiet`. "
        "`full`: nobody can enter, also because the free places are kept for people who were "
        "called from the queue."
    )
    waiting: Count = Field(description="Number of people in the queue.")
    entered: Count = Field(description="Number of people who have entered on this day.")
