"""The audit of holds: copies are kept for one hold each, and none is free while a patron waits."""

from collections import Counter

from ops.audit.findings import Audit
from services.circulation.domain.hold import OPEN_STATES
from shared.mongo import Database, Document

OPEN_HOLDS = [state.value for state in OPEN_STATES]


async def check_holds(result: Audit, store: Database) -> None:
    """Check that each copy is kept for one hold at most, and is not free while a patron waits.

    The rules decide whether a patron can be served; this counts only patrons who certainly can.
    """
    waiting: list[Document] = []
    kept: dict[str, Document] = {}
    open_by_patron: Counter[str] = Counter()
    async for hold in store.holds.find({"state": {"$in": OPEN_HOLDS}}):
        result.counts["open holds"] += 1
        open_by_patron[hold["patron_id"]] += 1
        if hold["state"] == "waiting":
            waiting.append(hold)
            continue
        twice = hold["copy_id"] in kept
        result.expect(not twice, f"copy {hold['copy_id']} is kept for 2 holds", doubled=1)
        kept[hold["copy_id"]] = hold
    free: dict[str, str] = {}
    async for copy in store.copies.find({"state": {"$nin": ["on-loan", "lost"]}}):
        hold = kept.pop(copy["_id"], None)
        kept_for = copy.get("hold_id")
        result.expect(
            kept_for == (hold["_id"] if hold else None),
            f"copy {copy['barcode']} is {copy['state']} for hold {kept_for}, but no hold says so",
            lost=1,
        )
        if copy["state"] in ("available", "in-transit") and not kept_for:
            free[copy["title_id"]] = copy["barcode"]
    for hold in kept.values():
        result.expect(
            False, f"hold {hold['_id']} is {hold['state']} but no copy is kept for it", lost=1
        )
    await _waiting(result, store, waiting, free)
    async for borrower in store.borrowers.find({}):
        true, counted = open_by_patron.pop(borrower["_id"], 0), borrower.get("open_holds", 0)
        result.expect(
            counted == true,
            f"patron {borrower['_id']} has a count of {counted} holds, but {true} holds",
        )
    for patron, true in open_by_patron.items():
        result.expect(False, f"patron {patron} has no count of holds, but {true} holds")


async def _waiting(
    result: Audit, store: Database, waiting: list[Document], free: dict[str, str]
) -> None:
    """Check that no hold waits for a free copy, unless there may be a reason to pass it over."""
    shut = {
        branch["_id"]
        async for branch in store.calendars.find({})
        if any(
            closure["announcements"][-1]["reopened_on"] is None for closure in branch["closures"]
        )
    }
    stopped = {patron["_id"] async for patron in store.patrons.find({"blocked": True})}
    owing = {one["_id"] async for one in store.borrowers.find({"outstanding_cents": {"$gt": 0}})}
    for hold in waiting:
        may_be_passed_over = (
            hold["frozen"]
            or hold["expires_on"]
            or hold["pickup_branch"] in shut
            or hold["patron_id"] in stopped | owing
        )
        result.expect(
            bool(may_be_passed_over) or hold["title_id"] not in free,
            f"copy {free.get(hold['title_id'])} is free while patron {hold['patron_id']} waits",
        )
