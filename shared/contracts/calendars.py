"""Values of a branch's calendar in events: hours, services, closures and their announcements."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from pydantic import ConfigDict, Field

from shared.contracts.event import Count, Id, Text, Value


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


ServiceName = Literal["adult", "young-adult", "children", "reference", "study-room", "book-drop"]
PeriodReason = Literal["examinations", "public-holiday", "school-holidays", "works", "other"]


class Period(Value):
    """Days on which a service has other hours than usual."""

    model_config = ConfigDict(populate_by_name=True)

    from_: date = Field(alias="from")
    until: date = Field(description="Last day of the period.")
    reason: PeriodReason
    hours: tuple[Hours, ...] = Field(
        max_length=100, description="Weekdays without an entry are closed."
    )


class ServiceHours(Value):
    """A service of a branch with hours of its own."""

    service: ServiceName
    hours: tuple[Hours, ...] = Field(
        max_length=100,
        description="Usual weekly hours. Weekdays without an entry are closed.",
    )
    periods: tuple[Period, ...] = Field(
        default=(),
        max_length=60,
        description="Periods with other hours, in order; they have no day in common.",
    )


def relief_of(branch: Mapping[str, Any]) -> tuple[Relief, ...]:
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
