"""Published by the events service: public activities, their recordings, and who registered."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from shared.contracts.event import Event


class ActivitySnapshot(Event):
    """An activity after a change. The address of a recording never travels here."""

    activity_id: str
    title: str
    type: str = Field(description="As `talk`, `exhibition`, `workshop`.")
    venue: str
    branch: str | None = Field(description="Code of the branch where it takes place, if one.")
    starts_at: datetime
    ends_at: datetime | None = None
    speaker: str | None = None
    organiser: str
    language: str | None = None
    enquiries: str | None = Field(default=None, description="Telephone number for enquiries.")
    recording_from: datetime | None = Field(
        default=None, description="From when its recording may be seen; null: no recording."
    )
    cancelled: bool = Field(default=False, description="Whether it does not take place.")


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
    """Published when staff change when or where an activity takes place."""


class ActivityCancelled(
    ActivitySnapshot,
    topic="activity.cancelled",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published when staff cancel an activity. Its registrations end after it."""

    reason: str


class RecordingReleased(
    ActivitySnapshot,
    topic="recording.released",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published once, by a job, when the release time of a recording has come."""


class RegistrationSnapshot(Event):
    """A patron's registration for an activity after a change."""

    registration_id: str
    activity_id: str
    patron_id: str
    state: Literal["confirmed", "waitlisted", "cancelled"]
    turn: int = Field(
        description="Counts the registrations for the activity. Of those that are waitlisted, as "
        "many come before this one as have a lower turn: that is its position."
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

    waited: bool = Field(description="Whether it was on the waiting list before.")


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
    """Published when a registration ends. It is the last that is told of it."""

    by: Literal["patron", "activity", "erased"] = Field(
        description="`patron`: withdrawn. `activity`: what it was for is cancelled. `erased`: the "
        "patron was."
    )
