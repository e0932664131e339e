"""Published by the events service: public activities and their recordings."""

from datetime import datetime

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


class ActivityPublished(
    ActivitySnapshot,
    topic="activity.published",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published when staff publish an activity."""


class RecordingReleased(
    ActivitySnapshot,
    topic="recording.released",
    publisher="events",
    key="activity_id",
    subject="activity_id",
):
    """Published once, by a job, when the release time of a recording has come."""
