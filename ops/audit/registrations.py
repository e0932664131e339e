"""The audit of registrations: the places of activities are counted and published correctly."""

from collections import Counter, defaultdict

from ops.audit.findings import Audit
from ops.audit.recorded import Recorded
from shared.contracts import published
from shared.mongo import Database

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
    for key in last if result.aged else {*last, *there}:
        last_state = last.get(key)
        true_state = there[key]["state"] if key in there else "cancelled"
        result.expect(
            last_state == true_state,
            f"registration {key} is {true_state}, but was published as {last_state}",
            lost=1,
        )
