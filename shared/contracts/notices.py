"""Events of notices: branches with calendars, notices, notifications, enquiries, occupancy."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from shared.contracts.event import Code, Count, Event, Id, Short, Text, Value


class Hours(Value):
    """Opening hours of one weekday."""

    weekday: int = Field(
        ge=0, le=6, description="0 is Monday, 6 is Sunday: one less than by ISO 8601."
    )
    opens: str = Field(pattern=r"^\d\d:\d\d$")
    closes: str = Field(pattern=r"^\d\d:\d\d$")


class WeeklyHours(Value):
    """The hours of a week, valid from a day on."""

    model_config = ConfigDict(populate_by_name=True)

    version: Count = Field(description="The branch's version that announced them.")
    from_: date = Field(alias="from")
    hours: tuple[Hours, ...] = Field(
        max_length=100, description="Weekdays without an entry are closed."
    )


class Announcement(Value):
    """One announcement about a closure: its days, its reason, and the terms of its reopening."""

    model_config = ConfigDict(populate_by_name=True)

    version: Count = Field(description="The branch's version that this announcement made.")
    at: datetime = Field(description="Business time of the announcement.")
    reopened_on: date | None = Field(description="First open day; null: no end announced.")
    from_: date | None = Field(
        default=None, alias="from", description="First closed day; null: the closure's `from`."
    )
    reason: Text | None = Field(default=None, description="Null: the closure's reason.")
    in_error: bool = Field(
        default=False,
        description="True for a closure recorded by mistake: it closes no day (`reopened_on` is "
        "its first day), and the due dates that it moved are restored.",
    )
    stagger_days: int = Field(
        default=1,
        ge=1,
        le=366,
        description="Number of first open days over which the moved due dates are spread.",
    )
    on_terms: bool = Field(
        default=False,
        description="True if terms of the reopening were announced: earlier special hours end.",
    )
    special_hours: tuple[Hours, ...] | None = Field(
        default=None,
        max_length=100,
        description="In force from `reopened_on` until other weekly hours begin or another "
        "reopening on terms; null: the weekly hours.",
    )


class ClosureOut(Value):
    """A closure of one branch with all its announcements, oldest first.

    The last announcement is in force, and `from` and `reason` are its own. A branch is closed while
    one of its closures lasts. The earlier announcements are kept because a due date that an
    announcement moved never moves earlier again: a consumer that gets only the newest snapshot
    calculates the same due dates as one that got each.
    """

    model_config = ConfigDict(populate_by_name=True)

    closure_id: Id
    from_: date = Field(alias="from")
    reason: Text
    announcements: tuple[Announcement, ...] = Field(min_length=1, max_length=2_000)
    extra_renewals: int = Field(
        default=0,
        ge=0,
        le=1_000,
        description="Further renewals that it grants for as long as it lasts; see `relief`.",
    )

    @property
    def reopened_on(self) -> date | None:
        """The first open day in the last announcement; None while no end is announced."""
        return self.announcements[-1].reopened_on


class Relief(Value):
    """A span of days on which the branch's closures grant more renewals than a loan's policy."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    until: date | None = Field(description="First day after it; null: no end is announced.")
    extra_renewals: int = Field(ge=1, le=1_000)


def _relief(branch: Mapping[str, Any]) -> tuple[Relief, ...]:
    """Return the relief that a branch's `closures` grant together.

    This is the default of a field of each new event, and of stored events that lack it.
    """
    granting = [closure for closure in branch["closures"] if closure.extra_renewals]
    ends = {closure.reopened_on for closure in granting if closure.reopened_on}
    days = sorted({closure.from_ for closure in granting} | ends)
    found: list[Relief] = []
    for first, until in zip(days, [*days[1:], None], strict=False):
        extra = max(
            (
                closure.extra_renewals
                for closure in granting
                if closure.from_ <= first
                and (closure.reopened_on is None or first < closure.reopened_on)
            ),
            default=0,
        )
        if found and (found[-1].until, found[-1].extra_renewals) == (first, extra):
            found[-1] = Relief(from_=found[-1].from_, until=until, extra_renewals=extra)
        elif extra:
            found.append(Relief(from_=first, until=until, extra_renewals=extra))
    return tuple(found)


class BranchSnapshot(Event):
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
        default_factory=_relief,
        max_length=10_000,
        description="Renewals that `closures` grant beyond a loan's policy, in spans that do not "
        "overlap, oldest first. Of several closures on one day, the one that grants most counts.",
    )
    services: tuple[Text, ...] = Field(
        default=(), max_length=200, description="In force since the last reopening."
    )
    measures: tuple[Text, ...] = Field(default=(), max_length=200)
    capacity: Count | None = None


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

    closure_id: Id = Field(description="The closure that caused this event.")


class BranchReopened(
    BranchSnapshot, topic="branch.reopened", publisher="notices", key="branch", subject="branch"
):
    """Published for each branch whose reopening is announced."""

    closure_id: Id = Field(description="The closure that ends.")
    reopened_on: date = Field(description="First open day.")


ClosureChange = Literal["amended", "reopening-taken-back", "withdrawn", "withdrawn-in-error"]


class BranchClosureChanged(
    BranchSnapshot,
    topic="branch.closure-changed",
    publisher="notices",
    key="branch",
    subject="branch",
):
    """Published for each branch when its closure is amended, withdrawn, or loses its announced end.

    An announced reopening is published as branch.reopened.
    """

    closure_id: Id = Field(description="The closure that changed.")
    change: ClosureChange
    change_reason: Text | None = Field(default=None, description="Reason for the withdrawal.")


class BranchHoursChanged(
    BranchSnapshot,
    topic="branch.hours-changed",
    publisher="notices",
    key="branch",
    subject="branch",
):
    """Published when the weekly hours of a branch change."""


class NoticeWording(Value):
    """The texts of a notice in one language."""

    title: Text
    content: str = Field(max_length=20_000)


class NoticeSnapshot(Event):
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


class NoticePublished(
    NoticeSnapshot,
    topic="notice.published",
    publisher="notices",
    key="notice_id",
    subject="notice_id",
):
    """Published when staff publish a notice of some branches or of the whole library."""


class NoticeAmended(
    NoticeSnapshot,
    topic="notice.amended",
    publisher="notices",
    key="notice_id",
    subject="notice_id",
):
    """Published when staff change the texts of a notice."""


class NoticeWithdrawn(
    NoticeSnapshot,
    topic="notice.withdrawn",
    publisher="notices",
    key="notice_id",
    subject="notice_id",
):
    """Published when staff withdraw a notice: consumers stop showing it, and keep a tombstone."""


class NotificationSnapshot(Event):
    """A notification to a patron, without its text, which stays in notices."""

    notification_id: Id
    patron_id: Id
    kind: Short = Field(description="Topic of the event that caused it.")
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
    """Published when the patron reads a notification."""


EnquiryState = Literal["new", "assigned", "waiting", "answered", "closed"]


class EnquirySnapshot(Event):
    """An enquiry to Ask a Librarian after a change, without its texts, which stay in notices."""

    enquiry_id: Id
    patron_id: Id
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
        description="Enquiry of the same patron in which a closed one goes on; null: in none.",
    )


class EnquiryOpened(
    EnquirySnapshot,
    topic="enquiry.opened",
    publisher="notices",
    key="enquiry_id",
    subject="enquiry_id",
):
    """Published when a patron asks, and for each reply of the patron, which opens it again."""


class EnquiryAssigned(
    EnquirySnapshot,
    topic="enquiry.assigned",
    publisher="notices",
    key="enquiry_id",
    subject="enquiry_id",
):
    """Published when a librarian takes an enquiry (`assigned`) or passes it on (`new`).

    Also when another enquiry is merged into it, which the librarian takes with that.
    """


class EnquiryAnswered(
    EnquirySnapshot,
    topic="enquiry.answered",
    publisher="notices",
    key="enquiry_id",
    subject="enquiry_id",
):
    """Published when a librarian answers (`answered`) or asks the patron something (`waiting`)."""


class EnquiryClosed(
    EnquirySnapshot,
    topic="enquiry.closed",
    publisher="notices",
    key="enquiry_id",
    subject="enquiry_id",
):
    """Published when the patron or a librarian closes an enquiry, or a librarian merges it."""


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
