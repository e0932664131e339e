"""Publish, amend and cancel activities, and announce the release of recordings."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.events.activities import rules, store
from services.events.activities.commands.registrations import end_some, give_places
from services.events.activities.events import (
    record_activity_event,
    record_cancelled,
    record_rescheduled,
)
from services.events.activities.refusals import NoRegistrationNeeded, NoSuchActivity
from services.events.activities.rules import (
    About,
    Activity,
    Places,
    Recording,
    announce,
    cancel,
    check_ages,
    check_takes_place,
    check_times,
)
from services.events.calendars import store as calendars_store
from services.events.refusals import NoSuchBranch
from shared.contracts.events import ActivityPublished, RecordingReleased
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PublishActivity:
    """A new activity as entered by staff. Instants are UTC, to the second."""

    title: str
    type: str
    venue: str
    branch: str | None
    starts_at: datetime
    ends_at: datetime | None
    speaker: str | None
    organiser: str
    language: str | None
    enquiries: str | None
    recording_from: datetime | None
    recording_url: str | None = field(repr=False)
    places: int | None
    """Number of places; None: everybody can come without registering."""
    about: About


def publish_activity(work: Work, command: PublishActivity) -> tuple[Activity, Places | None]:
    """Publish the activity; return it with its places, if any.

    Raises EndsBeforeItStarts, AgesReversed or NoSuchBranch.
    """
    activity = Activity(
        id=new_id(),
        title=command.title,
        type=command.type,
        venue=command.venue,
        branch=command.branch,
        starts_at=command.starts_at,
        ends_at=command.ends_at,
        speaker=command.speaker,
        organiser=command.organiser,
        language=command.language,
        enquiries=command.enquiries,
        recording_from=command.recording_from,
        about=command.about,
    )
    check_times(activity)
    check_ages(activity.about)
    codes = [] if activity.branch is None else [activity.branch]
    if unknown := calendars_store.unknown(work, codes):
        raise NoSuchBranch(branches=", ".join(sorted(unknown)))
    recording = None
    if command.recording_from is not None and command.recording_url is not None:
        recording = Recording(activity.id, command.recording_from, command.recording_url)
    places = None if command.places is None else Places(activity.id, command.places)
    store.add_activity(work, activity, recording, places)
    record_activity_event(work, ActivityPublished, activity)
    return activity, places


@dataclass(frozen=True)
class AmendActivity:
    """The fields to change; None leaves a field unchanged unless its `sets_…` flag is set."""

    activity_id: str
    starts_at: datetime | None
    ends_at: datetime | None
    sets_end: bool
    venue: str | None
    branch: str | None
    sets_branch: bool
    places: int | None
    title: str | None
    about: Mapping[str, Any]
    """The changed fields of the description."""


def amend_activity(work: Work, command: AmendActivity) -> tuple[Activity, Places | None]:
    """Change the activity; return it with its places. Added places go to the waiting list.

    Raises NoSuchActivity, NoSuchBranch, ActivityCancelled, EndsBeforeItStarts, AgesReversed,
    NoRegistrationNeeded or FewerPlaces.
    """
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    check_takes_place(activity)
    places = store.places(work, activity.id)
    amended = replace(
        activity,
        title=command.title or activity.title,
        about=replace(activity.about, **command.about),
        starts_at=command.starts_at or activity.starts_at,
        ends_at=command.ends_at if command.sets_end else activity.ends_at,
        venue=command.venue or activity.venue,
        branch=command.branch if command.sets_branch else activity.branch,
    )
    if amended.branch not in (activity.branch, None) and (
        unknown := calendars_store.unknown(work, [amended.branch])
    ):
        raise NoSuchBranch(branches=", ".join(sorted(unknown)))
    if amended != activity:
        check_times(amended)
        check_ages(amended.about)
        amended = replace(amended, version=activity.version + 1)
        store.save_activity(work, amended)
        record_rescheduled(work, amended, activity)
    if command.places is not None:
        if places is None:
            raise NoRegistrationNeeded
        places = rules.enlarge(places, command.places)
        store.save_places(work, places)
    # Also if only the time changed: an activity that had begun may now be in the future.
    return amended, None if places is None else give_places(work, amended, places)


@dataclass(frozen=True)
class CancelActivity:
    """The activity to cancel and the reason."""

    activity_id: str
    reason: str


def cancel_activity(work: Work, command: CancelActivity) -> tuple[Activity, Places | None]:
    """Cancel the activity; return it with its places.

    Ends the first registrations at once; a job ends the others. Raises NoSuchActivity or
    ActivityCancelled.
    """
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    cancelled = cancel(activity, at=work.now, reason=command.reason)
    places = store.places(work, activity.id)
    store.save_activity(work, cancelled)
    record_cancelled(work, cancelled)
    return cancelled, None if places is None else end_some(work, places)


@dataclass(frozen=True)
class AnnounceRelease:
    """The activity whose recording is released."""

    activity_id: str


def announce_release(work: Work, command: AnnounceRelease) -> bool:
    """Announce the release; return False if it is not due yet, or was announced already.

    Raises NoSuchActivity.
    """
    if not store.claim_release(work, command.activity_id):
        return False
    activity = store.activity(work, command.activity_id)
    if activity is None:
        raise NoSuchActivity
    released = announce(activity)
    store.save_activity(work, released)
    record_activity_event(work, RecordingReleased, released)
    return True
