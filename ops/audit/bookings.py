"""The audit of booked sessions in study rooms: each place once, and each booking published."""

from collections import Counter

from ops.audit.findings import Audit
from ops.audit.recorded import Recorded
from shared.mongo import Database

OF_BOOKINGS = ("booking.made", "booking.cancelled", "booking.checked-in", "booking.lapsed")


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
    last = await recorded.last_states(*OF_BOOKINGS, of="booking_id")
    for key in last if result.aged else {*last, *there}:
        last_state = last.get(key)
        over = last_state in ("cancelled", "lapsed", "checked-in")  # these are deleted
        true_state = there[key]["state"] if key in there else last_state if over else None
        result.expect(
            last_state == true_state,
            f"booking {key} is {true_state}, but was published as {last_state}",
            lost=1,
        )
