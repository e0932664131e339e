"""Announce the release of a recording."""

from dataclasses import dataclass

from services.events import store
from services.events.domain.activity import announce
from services.events.domain.refusals import NoSuchActivity
from services.events.usecases.activity_events import record_activity_event
from shared.contracts.events import RecordingReleased
from shared.unit_of_work import Work


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
