"""Change an activity's time, venue, description or number of places."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from services.events import store
from services.events.domain import registration as rules
from services.events.domain.activity import (
    Activity,
    check_ages,
    check_takes_place,
    check_times,
)
from services.events.domain.refusals import NoRegistrationNeeded, NoSuchActivity, NoSuchBranch
from services.events.domain.registration import Places
from services.events.usecases.activity_events import record_rescheduled
from services.events.usecases.give_places import give_places
from shared.unit_of_work import Work


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
        unknown := store.calendars.unknown(work, [amended.branch])
    ):
        raise NoSuchBranch(unknown)
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
