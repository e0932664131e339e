"""Publish, amend and cancel activities, and announce the release of recordings."""

from collections.abc import Mapping
from dataclasses import replace
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
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def publish_activity(
    work: Work,
    *,
    title: str,
    type_: str,
    venue: str,
    branch: str | None,
    starts_at: datetime,
    ends_at: datetime | None,
    speaker: str | None,
    organiser: str,
    language: str | None,
    enquiries: str | None,
    recording_from: datetime | None,
    recording_url: str | None,
    places: int | None,
    about: About,
) -> tuple[Activity, Places | None]:
    """Publish the activity; return it with its places, if any.

    Raises EndsBeforeItStarts, AgesReversed or NoSuchBranch.

    `places`: Number of places; None: everybody can come without registering.
    """
    activity = Activity(
        id=new_id(),
        title=title,
        type=type_,
        venue=venue,
        branch=branch,
        starts_at=starts_at,
        ends_at=ends_at,
        speaker=speaker,
        organiser=organiser,
        language=language,
        enquiries=enquiries,
        recording_from=recording_from,
        about=about,
    )
    check_times(activity)
    check_ages(activity.about)
    codes = [] if activity.branch is None else [activity.branch]
    if unknown := calendars_store.unknown(work, codes):
        raise NoSuchBranch(branches=", ".join(sorted(unknown)))
    recording = None
    if recording_from is not None and recording_url is not None:
        recording = Recording(activity.id, recording_from, recording_url)
    counts = None if places is None else Places(activity.id, places)
    store.add_activity(work, activity, recording, counts)
    record_activity_event(work, ActivityPublished, activity)
    return activity, counts


def amend_activity(
    work: Work,
    *,
    activity_id: str,
    starts_at: datetime | None,
    ends_at: datetime | None,
    sets_end: bool,
    venue: str | None,
    branch: str | None,
    sets_branch: bool,
    places: int | None,
    title: str | None,
    about: Mapping[str, Any],
) -> tuple[Activity, Places | None]:
    """Change the activity; return it with its places. Added places go to the waiting list.

    Raises NoSuchActivity, NoSuchBranch, ActivityCancelled, EndsBeforeItStarts, AgesReversed,
    NoRegistrationNeeded or FewerPlaces.

    `about`: The changed fields of the description.
    """
    activity = or_refuse(store.activity(work, activity_id), NoSuchActivity)
    check_takes_place(activity)
    counts = store.places(work, activity.id)
    amended = replace(
        activity,
        title=title or activity.title,
        about=replace(activity.about, **about),
        starts_at=starts_at or activity.starts_at,
        ends_at=ends_at if sets_end else activity.ends_at,
        venue=venue or activity.venue,
        branch=branch if sets_branch else activity.branch,
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
    if places is not None:
        if counts is None:
            raise NoRegistrationNeeded
        counts = rules.enlarge(counts, places)
        store.save_places(work, counts)
    # Also if only the time changed: an activity that had begun may now be in the future.
    return amended, None if counts is None else give_places(work, amended, counts)


def cancel_activity(work: Work, activity_id: str, reason: str) -> tuple[Activity, Places | None]:
    """Cancel the activity; return it with its places.

    Ends the first registrations at once; a job ends the others. Raises NoSuchActivity or
    ActivityCancelled.
    """
    activity = or_refuse(store.activity(work, activity_id), NoSuchActivity)
    cancelled = cancel(activity, at=work.now, reason=reason)
    places = store.places(work, activity.id)
    store.save_activity(work, cancelled)
    record_cancelled(work, cancelled)
    return cancelled, None if places is None else end_some(work, places)


def announce_release(work: Work, activity_id: str) -> bool:
    """Announce the release; return False if it is not due yet, or was announced already.

    Raises NoSuchActivity.
    """
    if not store.claim_release(work, activity_id):
        return False
    activity = or_refuse(store.activity(work, activity_id), NoSuchActivity)
    released = announce(activity)
    store.save_activity(work, released)
    record_activity_event(work, RecordingReleased, released)
    return True
