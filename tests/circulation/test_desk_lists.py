"""Each list of a desk equals what circulation holds, and costs what it shows, not what there is."""

import asyncio
import os
import random
from collections.abc import Mapping
from datetime import date
from typing import Any

from services.circulation.desk_lists import queries, store
from services.circulation.desk_lists.queries import ListQuery, Name
from shared.ids import new_id
from tests.circulation.desk import STAFF, STATION, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.circulation.shelf import amend, kept, run_job, title_of
from tests.support import token

HERE, THERE = "HKCL", "LFU"
MONTH = "2020-11-{:02}"
PEOPLE = 30
"""Patrons of a story; many of them cannot borrow any more in its course."""
END = "2020-12-31"
"""A day on which loans of the story are overdue; no branch is open on the day before it."""


async def listed(desk: Desk, name: str, branch: str, *, on: str, limit: int = 3) -> list[Any]:
    """Return all rows of a list, read in pages."""
    rows: list[Any] = []
    more = ""
    while True:
        path = f"/v1/desk-lists/{name}?branch={branch}&limit={limit}{more}"
        answer = await desk.api.insist("GET", path, as_=STAFF, at=noon(on))
        assert answer.status == 200, answer.json()
        page = answer.json()
        rows += page["items"]
        if page["next"] is None:
            return rows
        more = f"&after={page['next'].replace(' ', '%20')}"


async def counted(desk: Desk, branch: str, *, on: str) -> dict[str, int]:
    """Return the lengths of the lists of a branch."""
    path = f"/v1/desk-lists?branch={branch}"
    answer = await desk.api.insist("GET", path, as_=STAFF, at=noon(on))
    assert answer.status == 200, answer.json()
    found: dict[str, int] = answer.json()["counts"]
    return found


async def held(desk: Desk, branch: str, *, on: str, closed: Mapping[str, set[str]]) -> Any:
    """Work out the ids of each list from all documents, one after the other."""
    db = desk.api.app.state.database
    copies = [row async for row in db.copies.find()]
    loans = [row async for row in db.loans.find({"state": "open"}) if row["branch_code"] == branch]
    holds = [row async for row in db.holds.find()]
    conflicts = [row async for row in db.conflicts.find()]

    def here(state: str) -> list[dict[str, Any]]:
        return [one for one in copies if one["at_branch"] == branch and one["state"] == state]

    def is_late(loan: Mapping[str, Any]) -> bool:
        year = [f"2020-{month:02}-{day:02}" for month in range(1, 13) for day in range(1, 32)]
        since = [day for day in year if loan["due_on"] <= day < on]
        return any(day not in closed[branch] for day in since)

    found = {
        "to-fetch": here("to-fetch"),
        "on-shelf": [
            one for one in holds if one["state"] == "ready" and one["pickup_branch"] == branch
        ],
        "uncleared": [
            one for one in copies if one["at_branch"] == branch and one.get("shelved_for")
        ],
        "to-send": [one for one in here("in-transit") if not one.get("sent_on")],
        "on-the-way": [one for one in here("in-transit") if one.get("sent_on")],
        "arriving": [one for one in copies if one["bound_for"] == branch],
        "overdue": [one for one in loans if is_late(one) and not one["claimed_returned_on"]],
        "due-today": [one for one in loans if one["due_on"] == on],
        "claimed": [one for one in loans if one["claimed_returned_on"]],
        "lost": here("lost"),
        "conflicts": [
            one for one in conflicts if one["branch_code"] == branch and not one["resolution"]
        ],
    }
    return {name: sorted(one["_id"] for one in rows) for name, rows in found.items()}, sum(
        one["shelf_until"] == on for one in found["on-shelf"]
    )


class Week:
    """Random acts at two desks."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.chance = desk, random.Random(seed)  # noqa: S311 - a story
        self.barcodes: list[str] = []

    async def begin(self) -> None:
        for place in (HERE, THERE):
            for _ in range(6):
                self.barcodes += await self.desk.copies(2, branch=place, price_cents=0)
        for number in range(1, PEOPLE + 1):
            await self.desk.patron(f"p{number}")

    async def act(self, day: str) -> None:
        acts = (
            *("lend", "lend", "lend", "back", "back", "reserve", "reserve", "reserve"),
            *("scan", "scan", "scan", "scan", "scan", "cancel"),
            *("cancel", "redirect", "claim", "claim", "reject", "lose", "miss", "send", "offline"),
        )
        await getattr(self, self.chance.choice(acts))(day)

    def pick(self) -> tuple[str, str, str]:
        patron = f"p{self.chance.randint(1, PEOPLE)}"
        return self.chance.choice(self.barcodes), patron, self.chance.choice((HERE, THERE))

    async def call(self, method: str, path: str, body: Any, day: str, as_: str = STAFF) -> Any:
        answer = await self.desk.api.insist(method, path, body, as_=as_, at=noon(day))
        assert answer.status in (200, 201, 404, 409, 422), answer.json()
        return answer.json()

    async def some(self, path: str, kind: str, **where: Any) -> dict[str, Any] | None:
        found = await self.desk.api.app.state.database[kind].find(where).sort("_id").to_list(None)
        return self.chance.choice(found) if found else None

    async def lend(self, day: str) -> None:
        barcode, patron, place = self.pick()
        await self.desk.lend(barcode, to=patron, on=day, branch=place)

    async def back(self, day: str) -> None:
        loan = await self.some("", "loans", state="open")
        if loan:
            await self.desk.take_back(loan["barcode"], on=day, branch=self.pick()[2])

    async def scan(self, day: str) -> None:
        barcode, _, place = self.pick()
        await self.desk.take_back(barcode, on=day, branch=place)

    async def reserve(self, day: str) -> None:
        barcode, patron, place = self.pick()
        body = {"title_id": await title_of(self.desk, barcode), "pickup_branch": place}
        await self.call("POST", "/v1/holds", body, day, token(patron))

    async def cancel(self, day: str) -> None:
        if found := await self.some("", "holds", state="ready"):
            await self.call("DELETE", f"/v1/holds/{found['_id']}", None, day)

    async def redirect(self, day: str) -> None:
        if found := await self.some("", "holds", state="ready"):
            body = {"pickup_branch": self.pick()[2]}
            path = f"/v1/holds/{found['_id']}"
            await self.call("PATCH", path, body, day, token(found["patron_id"]))

    async def claim(self, day: str) -> None:
        if loan := await self.some("", "loans", state="open"):
            await self.call("POST", f"/v1/loans/{loan['_id']}/claim", None, day)

    async def reject(self, day: str) -> None:
        if loan := await self.some("", "loans", claimed_returned_on={"$ne": None}):
            await self.call("DELETE", f"/v1/loans/{loan['_id']}/claim", None, day)

    async def lose(self, day: str) -> None:
        if loan := await self.some("", "loans", state="open"):
            await self.call("POST", f"/v1/loans/{loan['_id']}/loss", None, day)

    async def miss(self, day: str) -> None:
        await self.call("POST", f"/v1/copies/{self.pick()[0]}/removal", {"fault": "missing"}, day)

    async def send(self, day: str) -> None:
        if copy := await self.some("", "copies", state="in-transit"):
            body = {"branch": copy["at_branch"], "barcodes": [copy["barcode"]]}
            await self.call("POST", "/v1/dispatches", body, day)

    async def offline(self, day: str) -> None:
        barcode, patron, place = self.pick()
        body = {"card_number": f"C-{patron}", "barcodes": [barcode], "branch": place}
        await self.call("POST", "/v1/checkouts", {**body, "offline": True, "at": day}, day)


async def compare(desk: Desk, on: str, closed: Mapping[str, set[str]]) -> set[str]:
    """Compare the lists of both branches on a day; return the names of those with a row."""
    seen = set()
    for place in (HERE, THERE):
        lengths = await counted(desk, place, on=on)
        expected, last_day = await held(desk, place, on=on, closed=closed)
        assert lengths["last-day"] == last_day
        for name, ids in expected.items():
            rows = await listed(desk, name, place, on=on)
            assert sorted(row["id"] for row in rows) == ids, (name, place, on)
            assert lengths[name] == len(ids), (name, place, on)
            seen |= {name} if ids else set()
    return seen


async def test_every_list_equals_what_circulation_holds(desk: Desk) -> None:
    seen: set[str] = set()
    week = Week(desk, seed=int(os.environ.get("CARREL_SEED", "4")))
    await week.begin()
    for number in range(1, 29):
        day = MONTH.format(number)
        for _ in range(8):
            await week.act(day)
        await run_job(desk, day)
        if number % 4 == 0:
            seen |= await compare(desk, day, {HERE: set(), THERE: set()})
    for number in range(6):
        await desk.patron(f"late{number}")
        for barcode in await desk.copies(1):
            await desk.lend(barcode, to=f"late{number}", on=day, branch=(HERE, THERE)[number % 2])
    closed = {HERE: {"2020-12-30"}, THERE: {f"2020-12-{day:02}" for day in range(1, 31)}}
    shut = closure("c1", "2020-12-01", (2, None), (3, "2020-12-31"))
    await desk.hear(told(THERE, "small", version=3, closures=(shut,)))
    shut = closure("c2", "2020-12-30", (2, "2020-12-31"))
    await desk.hear(told(HERE, version=2, closures=(shut,)))
    for on in ("2020-12-12", END, "2021-01-02"):
        seen |= await compare(desk, on, closed)
    assert seen == {*Name}


async def test_the_copy_of_a_hold_that_is_over_is_listed_until_it_is_scanned(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    waited = await kept(desk, "p1", barcode)
    await desk.api.insist("DELETE", f"/v1/holds/{waited['id']}", as_=STAFF, at=noon("2020-11-21"))
    [row] = await listed(desk, "uncleared", HERE, on="2020-11-21")
    found = (row["barcode"], row["patron_id"], row["ended_on"], row["on_hold_shelf"])
    assert found == (barcode, "p1", "2020-11-21", True)
    [scanned] = await desk.take_back(barcode, on="2020-11-21")
    assert (scanned["ok"], scanned["loan"], scanned["copy"]["state"]) == (True, None, "available")
    assert await listed(desk, "uncleared", HERE, on="2020-11-21") == []
    [scanned] = await desk.take_back(barcode, on="2020-11-21")
    assert scanned["problem"]["code"] == "not-on-loan"


async def test_the_copy_of_a_hold_that_moved_is_fetched_from_the_hold_shelf(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    await amend(desk, await kept(desk, "p1", barcode), pickup_branch=THERE)
    for name in ("to-fetch", "uncleared"):
        [row] = await listed(desk, name, HERE, on="2020-11-21")
        assert (row["barcode"], row["on_hold_shelf"], row["patron_id"]) == (barcode, True, "p1")
    await desk.take_back(barcode, on="2020-11-21")
    assert await listed(desk, "uncleared", HERE, on="2020-11-21") == []
    assert len(await listed(desk, "to-send", HERE, on="2020-11-21")) == 1


async def test_a_box_that_two_desks_send_at_once_leaves_once(desk: Desk) -> None:
    barcodes = await desk.copies(3, branch=THERE)
    for barcode in barcodes:
        await desk.lend(barcode)
    await desk.take_back(*barcodes, on="2020-11-21")
    body = {"branch": HERE, "barcodes": barcodes}
    answers = await asyncio.gather(
        *(
            desk.api.insist("POST", "/v1/dispatches", body, as_=STAFF, at=noon("2020-11-21"))
            for _ in range(8)
        )
    )
    assert sorted(len(answer.json()["barcodes"]) for answer in answers) == [*[0] * 7, 3]
    rows = await listed(desk, "on-the-way", HERE, on="2020-11-22")
    assert {row["sent_on"] for row in rows} == {"2020-11-21"}
    assert len(await listed(desk, "arriving", THERE, on="2020-11-22")) == 3
    await desk.take_back(*barcodes, on="2020-11-22", branch=THERE)
    assert await counted(desk, HERE, on="2020-11-22") == dict.fromkeys((*Name, "last-day"), 0)


async def test_only_staff_read_the_lists_and_each_patron_shown_is_recorded(desk: Desk) -> None:
    await desk.loan()
    for path in ("/v1/desk-lists", "/v1/desk-lists/overdue"):
        assert (await desk.api.get(f"{path}?branch={HERE}", as_=STATION)).status == 403
        assert (await desk.api.get(f"{path}?branch=NONE", as_=STAFF)).status == 404
    assert (await desk.api.get(f"/v1/desk-lists/other?branch={HERE}", as_=STAFF)).status == 422
    bad = f"/v1/desk-lists/lost?branch={HERE}&after=1"
    assert (await desk.api.get(bad, as_=STAFF)).status == 422
    assert len(await listed(desk, "overdue", HERE, on=END)) == 1
    act = {"act": "GET /v1/desk-lists/{list_name}"}
    looks = await desk.api.app.state.database.audit_trail.find(act).to_list(9)
    assert [look["objects"] for look in looks] == [["overdue", "p1"]]


async def test_a_list_examines_only_the_documents_that_it_shows(desk: Desk) -> None:
    """Among two thousand of this and two thousand of another branch."""
    [lent] = await desk.lend(*await desk.copies(1))
    db = desk.api.app.state.database
    copy = await db.copies.find_one({"barcode": lent["barcode"]})
    loan = await db.loans.find_one({"_id": lent["loan"]["id"]})
    assert copy
    assert loan
    states = ("to-fetch", "in-transit", "lost", "available")
    copies, loans = [], []
    for number in range(4000):
        place, other = (HERE, THERE) if number % 2 else (THERE, HERE)
        state = states[number // 2 % 4]
        sent = {"sent_on": "2020-11-21"} if number // 8 % 2 and state == "in-transit" else {}
        left = {"shelved_for": new_id()} if state == "available" else {}
        own = {"_id": new_id(), "barcode": f"M{number}", "at_branch": place, "state": state}
        bound = {"bound_for": other if state == "in-transit" else None}
        copies.append({**copy, **own, **bound, **sent, **left})
        claimed = {"claimed_returned_on": "2020-12-10" if number // 2 % 20 == 0 else None}
        own = {"_id": new_id(), "copy_id": new_id(), "branch_code": place, "due_on": "2020-12-04"}
        loans.append({**loan, **own, **claimed})
    way = {"at_branch": HERE, "bound_for": THERE, "state": "in-transit", "sent_on": "2020-11-21"}
    many = [{**copy, **way, "_id": new_id(), "barcode": f"W{number}"} for number in range(2200)]
    await db.copies.insert_many([*copies, *many])
    await db.loans.insert_many(loans)
    today = date.fromisoformat(END)
    for name in Name:
        for after in (None, ("2020-12-04", loans[3000]["_id"])):
            asked = ListQuery(name, HERE, today)
            found = await queries.listed(db, asked)
            assert found is not None
            cursor = store.cursor(db, found, 50, after)
            stats = (await cursor.explain())["executionStats"]
            skipped = 1 + 1600 * (after is not None)  # ties of a day before the cursor
            claims = 10 * (name is Name.OVERDUE)
            assert stats["totalDocsExamined"] <= stats["nReturned"] + skipped + claims, name
            assert "COLLSCAN" not in str(stats), name
            assert '"SORT"' not in str(stats).replace("'", '"'), name
    lengths = await counted(desk, HERE, on=END)
    assert {name: lengths[name] for name in ("to-fetch", "to-send", "on-the-way", "lost")} == {
        "to-fetch": 500,
        "to-send": 250,
        "on-the-way": 1001,
        "lost": 500,
    }
    assert (lengths["overdue"], lengths["claimed"], lengths["uncleared"]) == (1001, 100, 500)
