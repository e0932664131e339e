"""Events of the events service: public activities, their recordings and registrations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from shared.contracts.event import Code, Count, Event, Id, Text, Value

LongText = Annotated[str, Field(max_length=5_000)]


class Wording(Value):
    """The texts of an activity in one language; null: as in the activity itself."""

    title: Text | None = None
    venue: Text | None = None
    abstract: LongText | None = None


class ActivitySnapshot(Event):
    """An activity after a change. It never contains the address of a recording."""

    activity_id: Id
    title: Text
    type: Code = Field(description="Such as `talk`, `exhibition`, `workshop`.")
    venue: Text
    branch: Code | None = Field(description="Code of the branch where it takes place, if any.")
    starts_at: datetime
    ends_at: datetime | None = None
    speaker: Text | None = None
    organiser: Text
    language: Text | None = None
    enquiries: Text | None = Field(default=None, description="Telephone number for enquiries.")
    recording_from: datetime | None = Field(
        default=None, description="Time from which its recording may be seen; null: no recording."
    )
    cancelled: bool = Field(default=False, description="True if it does not take place.")
    abstract: LongText | None = None
    remarks: Text | None = None
    languages: tuple[Code, ...] = Field(
        default=(), max_length=10, description="Languages in which it is held, by BCP 47."
    )
    audience: Code | None = Field(
        default=None,
        description="`everyone`, `children`, `young-adults`, `adults`, `seniors`, `families`.",
    )
    minimum_age: Count | None = Field(
        default=None, description="Lowest age in years of those who may take part."
    )
    maximum_age: Count | None = None
    wordings: Mapping[Code, Wording] = Field(
        default={}, max_length=3, description="Its texts in other languages, by language."
    )


class ActivityPublished(
    ActivitySnapshot,
    topic="activity.published",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published when staff publish an activity."""


class ActivityRescheduled(
    ActivitySnapshot,
    topic="activity.rescheduled",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published when staff change the time, the place or the description of an activity."""

    previous_starts_at: datetime | None = Field(
        default=None, description="Planned start before, if this change moves it."
    )
    previous_venue: Text | None = Field(
        default=None, description="Planned venue before, if this change moves it."
    )
    described_anew: bool = Field(
        default=False,
        description="True if nothing but the description changed: no patron is notified.",
    )


class ActivityCancelled(
    ActivitySnapshot,
    topic="activity.cancelled",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published when staff cancel an activity. Its registrations are cancelled after it."""

    reason: Text


class RecordingReleased(
    ActivitySnapshot,
    topic="recording.released",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published once, by a job, when the release time of a recording comes."""


class RegistrationSnapshot(Event):
    """A patron's registration for an activity after a change."""

    registration_id: Id
    activity_id: Id
    patron_id: Id
    state: Literal["confirmed", "waitlisted", "cancelled"]
    turn: Count = Field(
        description="Ordinal among all registrations for the activity. A position on the waiting "
        "list is 1 more than the number of waitlisted registrations with a lower turn."
    )
    registered_at: datetime


class RegistrationConfirmed(
    RegistrationSnapshot,
    topic="registration.confirmed",
    publisher="events",
    key="patron_id",
    subject="registration_id",
):
    """Published when a patron gets a place: at once, or from the waiting list."""

    waited: bool = Field(description="True if it was on the waiting list before.")


class RegistrationWaitlisted(
    RegistrationSnapshot,
    topic="registration.waitlisted",
    publisher="events",
    key="patron_id",
    subject="registration_id",
):
    """Published when a patron registers and all places are taken."""


class RegistrationCancelled(
    RegistrationSnapshot,
    topic="registration.cancelled",
    publisher="events",
    key="patron_id",
    subject="registration_id",
):
    """Published when a registration ends. It is the last event of that registration."""

    by: Literal["patron", "activity", "erased"] = Field(
        description="`patron`: the patron withdrew. `activity`: it is cancelled. `erased`: the "
        "patron was erased."
    )
