"""Publish an activity's snapshot."""

from typing import Any

from services.events.domain.activity import Activity
from shared.contracts.events import ActivityCancelled, ActivitySnapshot
from shared.unit_of_work import Work


def tell(work: Work, kind: type[ActivitySnapshot], activity: Activity) -> None:
    """Record an event of `kind` with the activity as it is now."""
    work.record(kind(**snapshot(activity)))


def tell_cancelled(work: Work, activity: Activity) -> None:
    """Record that an activity is cancelled, and why."""
    work.record(ActivityCancelled(**snapshot(activity), reason=activity.cancelled_because or ""))


def snapshot(activity: Activity) -> dict[str, Any]:
    """The fields that every event of an activity has."""
    return {
        "version": activity.version,
        "activity_id": activity.id,
        "title": activity.title,
        "type": activity.type,
        "venue": activity.venue,
        "branch": activity.branch,
        "starts_at": activity.starts_at,
        "ends_at": activity.ends_at,
        "speaker": activity.speaker,
        "organiser": activity.organiser,
        "language": activity.language,
        "enquiries": activity.enquiries,
        "recording_from": activity.recording_from,
        "cancelled": activity.cancelled_at is not None,
    }
