"""The events of an activity, recorded by the use cases that change one."""

from dataclasses import asdict, replace
from typing import Any

from services.events.domain.activity import Activity
from shared.contracts.events import ActivityCancelled, ActivityRescheduled, ActivitySnapshot
from shared.unit_of_work import Work


def record_activity_event(work: Work, kind: type[ActivitySnapshot], activity: Activity) -> None:
    """Record an event of `kind` with the activity's current state."""
    work.record(kind(**snapshot(activity)))


def record_rescheduled(work: Work, activity: Activity, before: Activity) -> None:
    """Record that an activity's time, place or description changed since `before`."""
    moved = before.starts_at != activity.starts_at
    elsewhere = before.venue != activity.venue
    as_before = replace(activity, title=before.title, about=before.about, version=before.version)
    work.record(
        ActivityRescheduled(
            **snapshot(activity),
            previous_starts_at=before.starts_at if moved else None,
            previous_venue=before.venue if elsewhere else None,
            described_anew=as_before == before,
        )
    )


def record_cancelled(work: Work, activity: Activity) -> None:
    """Record that an activity is cancelled, with the reason."""
    work.record(ActivityCancelled(**snapshot(activity), reason=activity.cancelled_because or ""))


def snapshot(activity: Activity) -> dict[str, Any]:
    """Return the fields that every event about an activity has."""
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
        **asdict(activity.about),
    }
