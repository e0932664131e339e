"""Desk actions for the tests of holds, and the invariants of holds and copies."""

from collections import Counter
from datetime import date
from typing import Any

from services.circulation.rules.branch_calendar import BranchCalendar
from services.circulation.rules.copy import Copy
from services.circulation.rules.hold import Hold
from services.circulation.rules.hold_queue import Waiting
from services.circulation.rules.patron import Patron
from services.circulation.rules.policy import HONG_KONG
from shared.ids import card_digest
from shared.mongo import from_document
from tests.circulation.desk import KEY, STAFF, Desk, card_of, noon
from tests.support import Answer, token

DAY = "2020-11-20"


async def title_of(desk: Desk, barcode: str) -> str:
    """Return the title id of a copy."""
    answer = await desk.api.insist("GET", f"/v1/copies/{barcode}", as_=STAFF)
    return str(answer.json()["title_id"])


async def copy_of(desk: Desk, barcode: str) -> tuple[str, str, str | None]:
    """Return a copy's state, its branch and the branch it is in transit to."""
    copy = (await desk.api.insist("GET", f"/v1/copies/{barcode}", as_=STAFF)).json()
    return copy["state"], copy["at_branch"], copy["bound_for"]


async def reserve(
    desk: Desk, patron: str, title: str, *, at: str = "HKCL", on: str = DAY, **more: Any
) -> Answer:
    """Place a hold of a patron, to be collected at a branch."""
    body = {"title_id": title, "pickup_branch": at, **more}
    return await desk.api.insist("POST", "/v1/holds", body, as_=token(patron), at=noon(on))


async def hold(desk: Desk, patron: str, title: str, **more: Any) -> dict[str, Any]:
    """Place a hold that must succeed, and return it."""
    answer = await reserve(desk, patron, title, **more)
    assert answer.status == 201, answer.json()
    made: dict[str, Any] = answer.json()
    return made


async def kept(
    desk: Desk, patron: str, barcode: str, *, at: str = "HKCL", on: str = DAY, **more: Any
) -> dict[str, Any]:
    """Place a hold on the title of a copy on its shelf, then fetch and scan that copy."""
    held = await hold(desk, patron, await title_of(desk, barcode), at=at, on=on, **more)
    assert held["state"] == "to-fetch"
    await arrive(desk, barcode, at, on=on)
    return await now(desk, held)


async def now(desk: Desk, held: dict[str, Any]) -> dict[str, Any]:
    """Return the current state of a hold."""
    answer = await desk.api.insist("GET", f"/v1/holds/{held['id']}", as_=STAFF)
    found: dict[str, Any] = answer.json()
    return found


async def amend(desk: Desk, held: dict[str, Any], *, on: str = DAY, **change: Any) -> Answer:
    """Change a hold as its patron."""
    as_ = token(held["patron_id"])
    return await desk.api.insist("PATCH", f"/v1/holds/{held['id']}", change, as_=as_, at=noon(on))


async def arrive(desk: Desk, barcode: str, branch: str, on: str = DAY) -> dict[str, Any]:
    """Record the arrival of a copy, and return the answer."""
    body = {"branch": branch}
    answer = await desk.api.insist(
        "POST", f"/v1/copies/{barcode}/arrival", body, as_=STAFF, at=noon(on)
    )
    assert answer.status == 200, answer.json()
    placed: dict[str, Any] = answer.json()
    return placed


async def run_job(desk: Desk, on: str) -> int:
    """Run the holds job on a day, and return how many holds it processed."""
    return await desk.api.job("circulation/holds", at=noon(on))


async def faults(desk: Desk, on: str = DAY) -> list[str]:
    """Return the broken invariants of holds and copies on a day.

    Between commands there are none: no two patrons have one copy, no copy is kept without a
    hold, no copy is idle while a patron who can be served waits, and each patron's counters
    are correct.
    """
    db = desk.api.app.state.database
    holds = [from_document(Hold, row) async for row in db.holds.find()]
    copies = [row async for row in db.copies.find()]
    found = _pairs(holds, copies)
    found += await _idle(db, holds, copies, on)
    loans = Counter([row["copy_id"] async for row in db.loans.find({"state": "open"})])
    for copy in copies:
        if loans[copy["_id"]] != (copy["state"] == "on-loan"):
            found.append(f"copy {copy['barcode']} is {copy['state']} with {loans[copy['_id']]}")
    waits = Counter(one.patron_id for one in holds if one.is_open)
    counted = {row["_id"]: row["open_holds"] async for row in db.borrowers.find()}
    for patron in {*waits, *counted}:
        if waits[patron] != counted.get(patron, 0):
            found.append(f"{patron} has {waits[patron]} holds, not {counted.get(patron)}")
    places = Counter((one.target.queue_id, one.place) for one in holds)
    found += [
        f"place {place} was given {count} times" for place, count in places.items() if count > 1
    ]
    return found


def _pairs(holds: list[Hold], copies: list[dict[str, Any]]) -> list[str]:
    """Return the mismatches between copies that name a hold and holds that name a copy."""
    for_hold = {
        (copy["hold_id"], copy["_id"], {"on-shelf": "ready"}.get(copy["state"], copy["state"]))
        for copy in copies
        if copy["hold_id"]
    }
    of_hold = {
        (one.id, one.copy_id, one.state.value)
        for one in holds
        if one.state.value in ("to-fetch", "in-transit", "ready")
    }
    kept = [copy["hold_id"] for copy in copies if copy["hold_id"]]
    found = [f"hold {one} has {kept.count(one)} copies" for one in kept if kept.count(one) > 1]
    return found + [f"not for each other: {pair}" for pair in for_hold ^ of_hold]


async def _idle(db: Any, holds: list[Hold], copies: list[dict[str, Any]], on: str) -> list[str]:
    day = date.fromisoformat(on)
    patrons = {row["_id"]: from_document(Patron, row) async for row in db.patrons.find()}
    owed = {row["_id"]: row["outstanding_cents"] async for row in db.borrowers.find()}
    calendars = {
        row["_id"]: from_document(BranchCalendar, row).now async for row in db.calendars.find()
    }
    free = [
        from_document(Copy, copy)
        for copy in copies
        if copy["state"] in ("available", "in-transit") and not copy["hold_id"]
    ]
    return [
        f"copy {copy.barcode} is free while {one.patron_id} waits"
        for one in holds
        for copy in free
        if one.state.value == "waiting"
        and one.target.suits(copy)
        and Waiting(
            one,
            patrons.get(one.patron_id),
            owed.get(one.patron_id, 0),
            calendars.get(one.pickup_branch),
        ).can_be_served(copy.category, HONG_KONG, day)
    ]


async def people(desk: Desk, *names: str) -> None:
    for name in names:
        await desk.patron(name)


async def lent_title(desk: Desk, to: str = "p1") -> tuple[str, str]:
    """Lend the only copy of a new title; return the title id and the barcode."""
    [barcode] = await desk.copies(1)
    [result] = await desk.lend(barcode, to=to)
    assert result["ok"]
    return await title_of(desk, barcode), barcode


async def account(desk: Desk, kind: Any, patron: str, version: int, status: str) -> None:
    await desk.hear(
        kind(
            version=version,
            patron_id=patron,
            category="adult",
            home_branch="HKCL",
            language="en",
            status=status,
            card_digest="" if status == "erased" else card_digest(card_of(patron), KEY),
        )
    )
