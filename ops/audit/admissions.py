"""The audit of study rooms: cards fit the places, and ballots fit what was published."""

import hashlib
from collections import Counter

from ops.audit.findings import Audit
from ops.audit.recorded import Recorded
from shared.mongo import Database

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
    for key in last if result.aged else {*last, *there}:
        last_state = last.get(key)
        true_state = there[key]["state"] if key in there else "withdrawn"
        result.expect(
            last_state == true_state,
            f"application {key} is {true_state}, but was published as {last_state}",
            lost=1,
        )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
