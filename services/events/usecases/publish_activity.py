"""Publish an activity."""

from dataclasses import dataclass, field
from datetime import datetime

from services.events import store
from services.events.domain.activity import About, Activity, Recording, check_ages, check_times
from services.events.domain.refusals import NoSuchBranch
from services.events.domain.registration import Places
from services.events.usecases.activity_events import record_activity_event
from shared.contracts.events import ActivityPublished
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
    if unknown := store.calendars.unknown(work, codes):
        raise NoSuchBranch(unknown)
    recording = None
    if command.recording_from is not None and command.recording_url is not None:
        recording = Recording(activity.id, command.recording_from, command.recording_url)
    places = None if command.places is None else Places(activity.id, command.places)
    store.add_activity(work, activity, recording, places)
    record_activity_event(work, ActivityPublished, activity)
    return activity, places
