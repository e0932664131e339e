"""Publish an activity's snapshot."""

from services.events.domain.activity import Activity
from shared.contracts.events import ActivitySnapshot
from shared.unit_of_work import Work


def tell(work: Work, kind: type[ActivitySnapshot], activity: Activity) -> None:
    """Record an event of `kind` with the activity as it is now."""
    work.record(snapshot(kind, activity))


def snapshot(kind: type[ActivitySnapshot], activity: Activity) -> ActivitySnapshot:
    """The activity as it is now."""
    return kind(
        activity_id=activity.id,
        title=activity.title,
        type=activity.type,
        venue=activity.venue,
        branch=activity.branch,
        starts_at=activity.starts_at,
        ends_at=activity.ends_at,
        speaker=activity.speaker,
        organiser=activity.organiser,
        language=activity.language,
        enquiries=activity.enquiries,
        recording_from=activity.recording_from,
        version=activity.version,
    )
