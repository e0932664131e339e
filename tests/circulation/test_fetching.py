"""A copy on a shelf is set aside for a hold, which is ready only once staff scan the copy."""

from typing import Any

import pytest
from pymongo.errors import DuplicateKeyError

from services.circulation.holds import store as holds_store
from shared.contracts.accounts import PatronErased
from shared.declared_indexes import ensure_indexes
from tests.circulation import shelf
from tests.circulation.desk import STAFF, STATION, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.support import token


async def set_aside(desk: Desk, patron: str = "p1", at: str = "HKCL") -> tuple[str, dict[str, Any]]:
    """Place a hold on a title whose only copy is on its shelf at HKCL; return barcode and hold."""
    [barcode] = await desk.copies(1)
    return barcode, await shelf.hold(desk, patron, await shelf.title_of(desk, barcode), at=at)


async def to_fetch(desk: Desk, branch: str = "HKCL") -> list[tuple[str, str]]:
    """Return barcode and pick-up branch of each copy to fetch at a branch, read in pages of one."""
    found: list[tuple[str, str]] = []
    more = ""
    while True:
        path = f"/v1/holds/to-fetch/{branch}?limit=1{more}"
        page = (await desk.api.insist("GET", path, as_=STAFF)).json()
        found += [(one["barcode"], one["pickup_branch"]) for one in page["items"]]
        if page["next"] is None:
            return found
        more = f"&after={page['next']}"


async def test_a_copy_to_fetch_is_not_ready_until_it_is_scanned(desk: Desk) -> None:
    barcode, held = await set_aside(desk)
    assert (held["state"], held["position"], held["copy_id"] is None) == ("to-fetch", None, False)
    assert (held["ready_on"], held["shelf_until"]) == (None, None)
    assert await shelf.copy_of(desk, barcode) == ("to-fetch", "HKCL", None)
    assert await desk.count("hold.ready") == 0
    assert await shelf.faults(desk) == []

    [scanned] = await desk.take_back(barcode, on="2020-11-23")
    assert (scanned["ok"], scanned["loan"], scanned["charge"]) == (True, None, None)
    assert (scanned["copy"]["state"], scanned["hold"]["id"]) == ("on-shelf", held["id"])
    ready = await shelf.now(desk, held)
    assert (ready["state"], ready["ready_on"], ready["shelf_until"]) == (
        "ready",
        "2020-11-23",
        "2020-11-30",
    )
    assert await desk.count("hold.ready") == 1
    assert await shelf.faults(desk) == []


async def test_a_scan_at_a_station_makes_a_copy_ready(desk: Desk) -> None:
    barcode, held = await set_aside(desk)
    path = f"/v1/copies/{barcode}/arrival"
    answer = await desk.api.insist(
        "POST", path, {"branch": "HKCL"}, as_=STATION, at=noon(shelf.DAY)
    )
    assert answer.status == 200, answer.json()
    assert (await shelf.now(desk, held))["state"] == "ready"


async def test_a_copy_to_fetch_at_another_library_is_sent_when_it_is_scanned(
    desk: Desk,
) -> None:
    barcode, held = await set_aside(desk, at="LFU")
    assert held["state"] == "to-fetch"
    [scanned] = await desk.take_back(barcode, on=shelf.DAY)
    assert (scanned["copy"]["state"], scanned["copy"]["bound_for"]) == ("in-transit", "LFU")
    assert (await shelf.now(desk, held))["state"] == "in-transit"
    assert await desk.count("hold.ready") == 0
    [arrived] = await desk.take_back(barcode, on="2020-11-21", branch="LFU")
    assert arrived["hold"]["state"] == "ready"
    assert await shelf.faults(desk) == []


async def test_the_fetch_list_of_a_library_has_only_copies_on_its_own_shelves(desk: Desk) -> None:
    here, _ = await set_aside(desk)
    for_elsewhere, _ = await set_aside(desk, at="LFU")
    assert sorted(await to_fetch(desk)) == sorted([(here, "HKCL"), (for_elsewhere, "LFU")])
    assert await to_fetch(desk, "LFU") == []
    listed = (await desk.api.insist("GET", "/v1/holds/to-fetch/HKCL", as_=STAFF)).json()["items"]
    assert {one["title"] for one in listed} == {"Factory In and Out"}
    await desk.take_back(here, for_elsewhere, on=shelf.DAY)
    assert await to_fetch(desk) == await to_fetch(desk, "LFU") == []


async def test_a_copy_to_fetch_is_lent_only_to_its_patron(desk: Desk) -> None:
    await desk.patron("p2")
    barcode, held = await set_aside(desk)
    [refused] = await desk.lend(barcode, to="p2")
    assert refused["problem"]["code"] == "copy-kept"
    [lent] = await desk.lend(barcode, to="p1")
    assert lent["ok"]
    assert (await shelf.now(desk, held))["state"] == "collected"
    assert await to_fetch(desk) == []
    assert await shelf.faults(desk) == []


async def test_a_hold_gets_the_next_copy_if_its_copy_is_missing_from_the_shelf(desk: Desk) -> None:
    first, second = await desk.copies(2)
    held = await shelf.hold(desk, "p1", await shelf.title_of(desk, first))
    [(missing, _)] = await to_fetch(desk)
    path = f"/v1/copies/{missing}/removal"
    for other in {first, second} - {missing}:
        answer = await desk.api.insist(
            "POST", path, {"fault": "missing"}, as_=STAFF, at=noon(shelf.DAY)
        )
        assert answer.status == 200, answer.json()
        assert await to_fetch(desk) == [(other, "HKCL")]
        assert (await shelf.now(desk, held))["state"] == "to-fetch"
        path = f"/v1/copies/{other}/removal"
    # The last copy cannot be found either: the hold waits again, at its place.
    await desk.api.insist("POST", path, {"fault": "missing"}, as_=STAFF, at=noon(shelf.DAY))
    waits = await shelf.now(desk, held)
    assert (waits["state"], waits["position"], waits["copy_id"]) == ("waiting", 1, None)
    assert await to_fetch(desk) == []
    assert await shelf.faults(desk) == []


async def test_a_cancelled_hold_frees_the_copy_that_was_to_be_fetched(desk: Desk) -> None:
    await desk.patron("p2")
    barcode, first = await set_aside(desk)
    second = await shelf.hold(desk, "p2", first["title_id"], at="LFU")
    assert second["state"] == "waiting"
    ended = await desk.api.insist(
        "DELETE", f"/v1/holds/{first['id']}", as_=token("p1"), at=noon(shelf.DAY)
    )
    assert (ended.status, ended.json()["state"]) == (200, "cancelled")
    assert await to_fetch(desk) == [(barcode, "LFU")]
    await desk.api.insist(
        "DELETE", f"/v1/holds/{second['id']}", as_=token("p2"), at=noon(shelf.DAY)
    )
    assert await shelf.copy_of(desk, barcode) == ("available", "HKCL", None)
    assert await to_fetch(desk) == []
    assert await shelf.faults(desk) == []


async def test_an_erased_patron_frees_the_copy_that_was_to_be_fetched(desk: Desk) -> None:
    barcode, held = await set_aside(desk)
    await desk.hear(
        PatronErased(
            version=2,
            patron_id="p1",
            category="adult",
            home_branch="HKCL",
            language="en",
            status="erased",
            card_digest="",
        )
    )
    assert (await shelf.now(desk, held))["state"] == "cancelled"
    assert await shelf.copy_of(desk, barcode) == ("available", "HKCL", None)
    assert await shelf.faults(desk) == []


async def test_the_copy_of_an_expired_hold_is_fetched_from_the_hold_shelf_for_the_next_hold(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    [barcode] = await desk.copies(1)
    await shelf.kept(desk, "p1", barcode)  # until the 27th
    second = await shelf.hold(desk, "p2", await shelf.title_of(desk, barcode))
    assert await shelf.run_job(desk, "2020-11-28") == 1
    assert await to_fetch(desk) == [(barcode, "HKCL")]
    assert await desk.count("hold.ready") == 1
    await shelf.arrive(desk, barcode, "HKCL", on="2020-11-30")
    ready = await shelf.now(desk, second)
    assert (ready["state"], ready["shelf_until"]) == ("ready", "2020-12-07")
    assert await shelf.faults(desk, "2020-11-30") == []


async def test_the_hold_shelf_period_begins_with_the_scan_after_a_reopening(desk: Desk) -> None:
    no_end = closure("c1", "2020-11-20", (2, None))
    await desk.hear(told(version=2, closures=(no_end,)))
    barcode, held = await set_aside(desk)
    assert held["state"] == "waiting"
    reopens = closure("c1", "2020-11-20", (2, None), (3, "2021-02-19"))
    await desk.hear(told(version=3, closures=(reopens,)))
    assert await to_fetch(desk) == [(barcode, "HKCL")]
    assert await shelf.run_job(desk, "2021-03-15") == 0  # the shelf time has not started
    [scanned] = await desk.take_back(barcode, on="2021-03-15")
    assert (scanned["hold"]["ready_on"], scanned["hold"]["shelf_until"]) == (
        "2021-03-15",
        "2021-03-22",
    )


async def test_the_pick_up_branch_can_change_while_the_copy_is_to_fetch(desk: Desk) -> None:
    barcode, held = await set_aside(desk)
    moved = await shelf.amend(desk, held, pickup_branch="LFU")
    assert (moved.status, moved.json()["state"]) == (200, "to-fetch")
    assert await to_fetch(desk) == [(barcode, "LFU")]
    frozen = await shelf.amend(desk, held, frozen=True)
    assert (frozen.status, frozen.json()["code"]) == (409, "hold-not-waiting")
    [scanned] = await desk.take_back(barcode, on=shelf.DAY)
    assert scanned["copy"]["bound_for"] == "LFU"
    assert await shelf.faults(desk) == []


@pytest.mark.parametrize("fault", ["damaged", "withdrawn"])
async def test_a_damaged_copy_to_fetch_is_withdrawn_from_lending(desk: Desk, fault: str) -> None:
    barcode, held = await set_aside(desk)
    path = f"/v1/copies/{barcode}/removal"
    answer = await desk.api.insist("POST", path, {"fault": fault}, as_=STAFF, at=noon(shelf.DAY))
    assert answer.json()["copy"]["state"] == fault
    assert (await shelf.now(desk, held))["state"] == "waiting"
    assert await shelf.faults(desk) == []


async def test_events_say_that_a_copy_is_still_to_be_fetched(desk: Desk) -> None:
    barcode, _ = await set_aside(desk, at="LFU")
    await desk.take_back(barcode, on=shelf.DAY)
    await desk.take_back(barcode, on=shelf.DAY, branch="LFU")
    outbox = desk.api.app.state.database.outbox
    said = [
        (row["topic"], '"to_fetch":true' in str(row["body"]).replace(" ", ""))
        async for row in outbox.find({"topic": {"$regex": "^hold"}}).sort("_id")
    ]
    assert said == [
        ("hold.placed", False),
        ("hold.changed", True),
        ("hold.changed", False),
        ("hold.ready", False),
    ]


async def test_a_missing_copy_scanned_at_the_return_desk_can_be_lent_again(
    desk: Desk,
) -> None:
    barcode, held = await set_aside(desk)
    path = f"/v1/copies/{barcode}/removal"
    await desk.api.insist("POST", path, {"fault": "missing"}, as_=STAFF, at=noon(shelf.DAY))
    assert (await shelf.now(desk, held))["state"] == "waiting"
    [found] = await desk.take_back(barcode, on="2020-11-23")
    assert (found["ok"], found["loan"], found["hold"]["id"]) == (True, None, held["id"])
    assert (found["copy"]["state"], found["hold"]["state"]) == ("on-shelf", "ready")
    assert await shelf.faults(desk) == []


async def test_a_database_with_older_indexes_gets_the_indexes_for_copies_to_fetch(
    desk: Desk,
) -> None:
    database = desk.api.app.state.database
    for name in ("one_hold_of_copy", "one_hold_of_volume"):
        await database.holds.drop_index(name)
    before = {"$in": ["in-transit", "ready"]}
    await database.holds.create_index(
        "copy_id", unique=True, partialFilterExpression={"state": before}
    )
    await database.holds.create_index(
        [("patron_id", 1), ("title_id", 1)],
        name="open_of_patron",
        unique=True,
        partialFilterExpression={"state": {"$in": ["waiting", *before["$in"]]}},
    )
    await ensure_indexes(database, holds_store.INDEXES)
    barcode, held = await set_aside(desk)
    twin = {**(await database.holds.find_one({"_id": held["id"]})), "_id": "twin"}
    with pytest.raises(DuplicateKeyError, match="one_hold_of_volume"):
        await database.holds.insert_one({**twin, "copy_id": "another"})
    with pytest.raises(DuplicateKeyError, match="one_hold_of_copy"):
        await database.holds.insert_one({**twin, "patron_id": "p2"})
    assert (await shelf.arrive(desk, barcode, "HKCL"))["hold"]["state"] == "ready"
