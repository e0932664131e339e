"""The audit of booked sessions in study rooms: each place once, and each booking published.

Nobody is expected on a day on which the library is closed, and a room has one season at a time.
"""

from collections import Counter
from datetime import date
from itertools import pairwise

from ops.audit.findings import Audit
from ops.audit.recorded import Recorded
from services.events.calendars.rules import BranchCalendar
from shared.mongo import Database, from_document

OF_BOOKINGS = ("booking.made", "booking.cancelled", "booking.checked-in", "booking.lapsed")
BY_CLOSURES = ("booking.ended-by-closure", "booking.restored")


async def check_bookings(result: Audit, store: Database, recorded: Recorded) -> None:
    """Check that sessions count their bookings, which were published in their last states."""
    there = {one["_id"]: one async for one in store.study_bookings.find({})}
    result.counts["bookings in study rooms"] = len(there)
    counted = Counter(one["slot_id"] for one in there.values())
    slots = {slot["_id"]: slot["taken"] async for slot in store.study_slots.find({})}
    for key in {*counted, *slots}:
        more = counted[key] - slots.get(key, 0)
        result.expect(
            more == 0,
            f"session {key} has {more} bookings more than it counts",
            doubled=max(more, 0),
        )
    last = await recorded.last_states(*OF_BOOKINGS, *BY_CLOSURES, of="booking_id")
    for key in last if result.aged else {*last, *there}:
        last_state = last.get(key)
        over = last_state in ("cancelled", "lapsed", "checked-in")  # these are deleted
        true_state = there[key]["state"] if key in there else last_state if over else None
        result.expect(
            last_state == true_state,
            f"booking {key} is {true_state}, but was published as {last_state}",
            lost=1,
        )


async def check_closed_days(result: Audit, store: Database) -> None:
    """Check that bookings and places follow the calendars of their branches, once these settled.

    A booking that a closure ended is kept only while the library is closed on its day.
    """
    async for one in store.calendars.find({"unsettled": {"$ne": None}}, {"_id": 1}):
        result.expect(False, f"the study room of {one['_id']} does not follow its calendar yet")
    found = store.calendars.find({"unsettled": None})
    calendars = {one["_id"]: from_document(BranchCalendar, one) async for one in found}

    def has_sessions(branch: str, day: str) -> bool | None:
        calendar = calendars.get(branch)
        return None if calendar is None else calendar.has_sessions(date.fromisoformat(day))

    async for one in store.study_bookings.find({"state": "booked"}):
        result.expect(
            has_sessions(one["branch"], _day_of(one["slot_id"])) is not False,
            f"booking {one['_id']} is on a day on which {one['branch']} is closed",
        )
    async for one in store.study_closed_bookings.find({}):
        result.expect(
            has_sessions(one["branch"], _day_of(one["slot_id"])) is not True,
            f"booking {one['_id']} was ended, though {one['branch']} is open on that day",
            lost=1,
        )
    sittings = {one["_id"]: one async for one in store.study_sittings.find({})}
    async for seat in store.study_seats.find({"state": {"$in": ["held", "lapsed"]}}):
        sitting = sittings[seat["sitting_id"]]
        result.expect(
            has_sessions(sitting["branch"], sitting["day"]) is not False,
            f"seat {seat['_id']} is {seat['state']} though its library is closed then",
        )


async def check_rooms(result: Audit, store: Database) -> None:
    """Check that a room has one season on each day, so that no seat is promised twice."""
    by_room: dict[str, list[tuple[str, str, str]]] = {}
    async for season in store.study_seasons.find({}):
        days = (season["valid_from"], season["valid_until"], season["_id"])
        for room in season["rooms"]:
            by_room.setdefault(room["branch"], []).append(days)
    for branch, seasons in by_room.items():
        for before, after in pairwise(sorted(seasons)):
            result.expect(
                before[1] < after[0],
                f"the seasons {before[2]} and {after[2]} have the room at {branch} on one day",
                doubled=1,
            )


def _day_of(slot_id: str) -> str:
    return slot_id.split(".")[1]
