"""Set the rules by which single sessions of a study room are booked."""

from dataclasses import replace

from services.events import store
from services.events.domain.booking import StudyRoom, check_room
from services.events.domain.refusals import NoSuchBranch
from shared.unit_of_work import Work


def set_study_room(work: Work, wanted: StudyRoom) -> StudyRoom:
    """Set the rules of a room, new or known; bookings stay. Return it.

    Raises BadRoom or NoSuchBranch.
    """
    check_room(wanted)
    if unknown := store.calendars.unknown(work, [wanted.id]):
        raise NoSuchBranch(unknown)
    known = store.bookings.room(work, wanted.id)
    if known is None:
        store.bookings.add_room(work, wanted)
        return wanted
    changed = replace(wanted, version=known.version + 1)
    store.bookings.save_room(work, changed)
    return changed
