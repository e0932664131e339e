"""The audit of places: of activities, of study rooms and of their booked sessions."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise

from ops.audit.findings import Audit, Finding, Recorded
from services.events.calendars.rules import BranchCalendar
from services.events.seasons.rules.season import BALLOT_KEPT, PATRONS_KEPT
from services.settings import Settings
from shared.clock import library_day, wall_clock
from shared.contracts import published
from shared.mongo import Client, Database, Document, from_document

OF_REGISTRATIONS = [topic for topic in published() if topic.startswith("registration.")]


async def check_registrations(result: Audit, store: Database, recorded: Recorded) -> None:
    """Check the places of activities: not too many, counted correctly, and published correctly.

    A place may be free while a patron waits: none is given after an activity has begun.
    """
    there = {one["_id"]: one async for one in store.registrations.find({})}
    result.counts["registrations"] = len(there)
    states: dict[str, Counter[str]] = defaultdict(Counter)
    for one in there.values():
        states[one["activity_id"]][one["state"]] += 1
    async for places in store.places.find({}):
        true = states[places["_id"]]
        counted = Counter(confirmed=places["taken"], waitlisted=places["waiting"])
        result.expect(
            counted == true,
            f"activity {places['_id']} has counts of {dict(counted)}, but {dict(true)} are right",
        )
        more = true["confirmed"] - places["places"]
        result.expect(
            more <= 0,
            f"activity {places['_id']} has {more} patrons more than places",
            doubled=max(more, 0),
        )
    last = await recorded.last_states(*OF_REGISTRATIONS, of="registration_id")
    _check_published(result, "registration", there, last, ("cancelled",))


OF_APPLICATIONS = (
    "admission.applied",
    "admission.granted",
    "admission.standby",
    "admission.withdrawn",
)
"""Topics of the events of an application; the others are of a season or a seat."""


async def check_admissions(result: Audit, store: Database, recorded: Recorded) -> None:
    """Check that no room has more cards than places, and that lists and seeds fit their hashes.

    Each application must have been published in its last state.
    """
    there = {one["_id"]: one async for one in store.study_applications.find({})}
    result.counts["applications for study rooms"] = len(there)
    cards = Counter(
        (one["season_id"], one["branch"]) for one in there.values() if one["state"] == "granted"
    )
    seasons = [season async for season in store.study_seasons.find({})]
    lists = {one["_id"]: one["entries"] async for one in store.study_ballots.find({})}
    for season in seasons:
        key = season["_id"]
        for room in season["rooms"]:
            more = cards[key, room["branch"]] - room["places"]
            result.expect(
                more <= 0,
                f"season {key} has {more} cards more than places at {room['branch']}",
                doubled=max(more, 0),
            )
        if season["list_hash"] is not None:
            lines = sorted(f"{e['id']} {e['category']} {e['branch']}\n" for e in lists[key])
            fits = _sha256("".join(lines)) == season["list_hash"]
            result.expect(fits, f"the list of season {key} was changed after it was closed")
        if season["seed"] is not None:
            fits = _sha256(season["seed"]) == season["commitment"]
            result.expect(fits, f"season {key} was drawn with another seed than announced")
    places = {
        (season["_id"], room["branch"]): room["places"]
        for season in seasons
        for room in season["rooms"]
    }
    seated: Counter[str] = Counter()
    async for seat in store.study_seats.find({"state": {"$ne": "lapsed"}}, {"sitting_id": 1}):
        seated[seat["sitting_id"]] += 1
    async for sitting in store.study_sittings.find({}):
        more = seated[sitting["_id"]] - places[sitting["season_id"], sitting["branch"]]
        result.expect(
            more <= 0,
            f"sitting {sitting['_id']} has {more} patrons more than places",
            doubled=max(more, 0),
        )
    last = await recorded.last_states(*OF_APPLICATIONS, of="application_id")
    _check_published(result, "application", there, last, ("withdrawn",))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


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
    _check_published(result, "booking", there, last, ("cancelled", "lapsed", "checked-in"))


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


CHECK = "study rooms"
GRACE = timedelta(days=1)
"""Time that the job may take to delete what is no longer kept."""


async def check_seasons(client: Client, settings: Settings) -> Finding:
    """Check that no application is kept longer than stated, and no season with its ballot."""
    database = client[f"{settings.database_prefix}_events"]
    if settings.simulation:
        return Finding(CHECK, "ok", "not checked in a simulation, whose seasons are of other years")
    today = library_day(wall_clock() - GRACE, settings.zone)
    ended = {"valid_until": {"$lt": (today - PATRONS_KEPT).isoformat()}}
    seasons = await database.study_seasons.distinct("_id", ended)
    of_patrons = await database.study_applications.count_documents({"season_id": {"$in": seasons}})
    too_old = {"valid_until": {"$lt": (today - BALLOT_KEPT).isoformat()}}
    old = await database.study_seasons.count_documents(too_old)
    if of_patrons or old:
        found = f"{of_patrons} applications and {old} seasons are kept longer than stated"
        remedy = "run the job events/purge-seasons, and check that events has the role jobs"
        return Finding(CHECK, "fail", found, remedy)
    kept = await database.study_seasons.estimated_document_count()
    return Finding(CHECK, "ok", f"{kept} seasons, none with data that is kept too long")


def _check_published(
    result: Audit,
    name: str,
    there: Mapping[str, Document],
    last: Mapping[str, str],
    over: Sequence[str],
) -> None:
    """Check that each was published in its last state; those in a state of `over` are deleted."""
    for key in last if result.aged else {*last, *there}:
        gone = last[key] if last.get(key) in over else over[0]
        true_state = there[key]["state"] if key in there else gone
        result.expect(
            last.get(key) == true_state,
            f"{name} {key} is {true_state}, but was published as {last.get(key)}",
            lost=1,
        )
