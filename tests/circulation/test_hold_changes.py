"""Holds after they are placed: another pick-up branch, their ends, closures, and who sees them."""

import pytest

from shared.contracts.accounts import PatronErased
from tests.circulation.desk import STAFF, STATION, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.circulation.shelf import (
    DAY,
    account,
    amend,
    arrive,
    copy_of,
    faults,
    hold,
    kept,
    lent_title,
    now,
    people,
    run_job,
    title_of,
)
from tests.support import token

# ---- pick-up branch -----------------------------------------------------------------------------


async def test_a_ready_copy_is_fetched_from_the_hold_shelf_when_its_pick_up_branch_changes(
    desk: Desk,
) -> None:
    [barcode] = await desk.copies(1)
    held = await kept(desk, "p1", barcode)
    moved = await amend(desk, held, pickup_branch="LFU")
    assert moved.json()["state"] == "to-fetch"
    assert (moved.json()["ready_on"], moved.json()["shelf_until"]) == (None, None)
    assert await copy_of(desk, barcode) == ("to-fetch", "HKCL", None)
    await arrive(desk, barcode, "HKCL")
    assert await copy_of(desk, barcode) == ("in-transit", "HKCL", "LFU")
    # It changes once more while the copy is on its way: from there it is sent on.
    back = await amend(desk, held, pickup_branch="HKCL")
    assert back.json()["state"] == "in-transit"
    placed = await arrive(desk, barcode, "LFU")
    assert (placed["copy"]["bound_for"], placed["hold"]["state"]) == ("HKCL", "in-transit")
    placed = await arrive(desk, barcode, "HKCL")
    assert placed["hold"]["state"] == "ready"
    assert (await amend(desk, held, pickup_branch="NONE")).json()["code"] == "unknown-branch"
    assert await faults(desk) == []


async def test_a_copy_without_a_hold_is_sent_to_its_home_branch(desk: Desk) -> None:
    title, barcode = await lent_title(desk)
    [returned] = await desk.take_back(barcode, on="2020-11-21", branch="LFU")
    assert (returned["hold"], returned["copy"]["state"]) == (None, "in-transit")
    assert await copy_of(desk, barcode) == ("in-transit", "LFU", "HKCL")
    await people(desk, "p2")
    held = await hold(desk, "p2", title, at="LFU", on="2020-11-21")
    assert held["state"] == "in-transit"  # it is in transit to HKCL first, then back
    placed = await arrive(desk, barcode, "HKCL", on="2020-11-22")
    assert placed["copy"]["bound_for"] == "LFU"
    await desk.api.delete(f"/v1/holds/{held['id']}", as_=token("p2"))
    placed = await arrive(desk, barcode, "LFU", on="2020-11-23")
    assert (placed["hold"], placed["copy"]["bound_for"]) == (None, "HKCL")
    await arrive(desk, barcode, "HKCL", on="2020-11-24")
    assert await copy_of(desk, barcode) == ("available", "HKCL", None)
    assert await faults(desk) == []


async def test_a_copy_that_is_not_in_transit_cannot_arrive(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    path, body = f"/v1/copies/{barcode}/arrival", {"branch": "HKCL"}
    answer = await desk.api.post(path, body, as_=STATION)
    assert (answer.status, answer.json()["code"]) == (409, "copy-state")
    none = await desk.api.post("/v1/copies/NONE/arrival", body, as_=STAFF)
    assert none.json()["code"] == "no-such-copy"


# ---- ends ---------------------------------------------------------------------------------------


async def test_cancelling_a_hold_assigns_its_copy_to_the_next_hold(desk: Desk) -> None:
    await people(desk, "p2", "p3")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    first = await kept(desk, "p1", barcode)
    second = await hold(desk, "p2", title)
    ended = await desk.api.delete(f"/v1/holds/{first['id']}", as_=token("p1"))
    assert (ended.status, ended.json()["state"]) == (200, "cancelled")
    assert (await now(desk, second))["state"] == "to-fetch"
    again = await desk.api.delete(f"/v1/holds/{first['id']}", as_=token("p1"))
    assert (again.status, again.json()["code"]) == (409, "hold-ended")
    assert await faults(desk) == []


async def test_an_uncollected_copy_is_assigned_to_the_next_hold(desk: Desk) -> None:
    await people(desk, "p2")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    first = await kept(desk, "p1", barcode)  # until the 27th
    second = await hold(desk, "p2", title)
    assert await run_job(desk, "2020-11-27") == 0
    assert await run_job(desk, "2020-11-28") == 1
    assert await run_job(desk, "2020-11-28") == 0
    assert (await now(desk, first))["state"] == "expired"
    served = await now(desk, second)
    assert (served["state"], served["shelf_until"]) == ("to-fetch", None)
    assert await desk.count("hold.expired") == 1
    assert await faults(desk, "2020-11-28") == []


async def test_a_hold_of_an_erased_patron_ends(desk: Desk) -> None:
    await people(desk, "p2")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    first = await kept(desk, "p1", barcode)
    second = await hold(desk, "p2", title)
    await account(desk, PatronErased, "p1", 2, "erased")
    assert (await now(desk, first))["state"] == "cancelled"
    assert (await now(desk, second))["state"] == "to-fetch"
    assert await faults(desk) == []


@pytest.mark.parametrize("fault", ["damaged", "withdrawn", "missing"])
async def test_a_hold_whose_copy_is_unavailable_waits_again_at_its_place(
    desk: Desk, fault: str
) -> None:
    await people(desk, "p2")
    [barcode] = await desk.copies(1)
    title = await title_of(desk, barcode)
    first = await kept(desk, "p1", barcode)
    second = await hold(desk, "p2", title)
    path = f"/v1/copies/{barcode}"
    out = await desk.api.post(f"{path}/removal", {"fault": fault}, as_=STAFF)
    assert out.json()["copy"]["state"] == {"missing": "lost"}.get(fault, fault)
    waits = await now(desk, first)
    assert (waits["state"], waits["position"], waits["copy_id"]) == ("waiting", 1, None)
    found = await desk.api.post(f"{path}/recovery", {"branch": "LFU"}, as_=STAFF)
    assert found.json()["hold"]["id"] == first["id"]
    assert (await now(desk, second))["position"] == 1
    assert await faults(desk) == []


async def test_a_copy_on_loan_cannot_be_withdrawn(desk: Desk) -> None:
    _, barcode = await lent_title(desk)
    out = await desk.api.post(f"/v1/copies/{barcode}/removal", {"fault": "damaged"}, as_=STAFF)
    assert (out.status, out.json()["code"]) == (409, "copy-state")


# ---- closures -----------------------------------------------------------------------------------


async def test_a_closure_of_the_pick_up_branch_extends_the_time_on_the_shelf(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await kept(desk, "p1", barcode)  # until the 27th
    no_end = closure("c1", "2020-11-25", (2, None))
    await desk.hear(told(version=2, closures=(no_end,)))
    assert (await now(desk, held))["shelf_until"] is None
    assert await run_job(desk, "2021-01-01") == 0
    reopens = closure("c1", "2020-11-25", (2, None), (3, "2021-02-19"))
    await desk.hear(told(version=3, closures=(reopens,)))
    assert (await now(desk, held))["shelf_until"] == "2021-02-21"
    assert await desk.count("hold.changed") == 3  # set aside, and moved twice
    assert await run_job(desk, "2021-02-21") == 0
    assert await run_job(desk, "2021-02-22") == 1


async def test_the_calendar_decides_before_the_stored_shelf_date_has_moved(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await kept(desk, "p1", barcode)  # until the 27th
    ends = closure("c1", "2020-11-25", (2, "2020-12-05"))
    await desk.hear(told(version=2, closures=(ends,)))
    stored = {"$set": {"shelf_until": "2020-11-27"}}
    await desk.api.app.state.database.holds.update_one({"_id": held["id"]}, stored)
    assert await run_job(desk, "2020-11-30") == 0  # not expired, though the stored day has passed
    assert (await now(desk, held))["shelf_until"] == "2020-12-07"


# ---- access -------------------------------------------------------------------------------------


async def test_a_patron_sees_their_own_holds_and_staff_see_queues_and_shelves(desk: Desk) -> None:
    await people(desk, "p2", "p3")
    title, barcode = await lent_title(desk)
    second, third = await hold(desk, "p2", title), await hold(desk, "p3", title)
    mine = (await desk.api.get("/v1/me/holds", as_=token("p3"))).json()["items"]
    assert [(one["id"], one["position"]) for one in mine] == [(third["id"], 2)]
    first_page = (await desk.api.get(f"/v1/titles/{title}/holds?limit=1", as_=STAFF)).json()
    rest = (
        await desk.api.get(f"/v1/titles/{title}/holds?after={first_page['next']}", as_=STAFF)
    ).json()
    seen = [one["id"] for one in first_page["items"] + rest["items"]]
    assert seen == [second["id"], third["id"]]
    await desk.take_back(barcode, on="2020-11-21")
    shelf = (await desk.api.get("/v1/holds/shelves/HKCL", as_=STAFF)).json()["items"]
    assert [one["patron_id"] for one in shelf] == ["p2"]
    of_patron = (await desk.api.get("/v1/holds?patron=p3", as_=STAFF)).json()["items"]
    assert [one["id"] for one in of_patron] == [third["id"]]


async def test_staff_reserve_for_any_patron_and_a_patron_only_for_themselves(desk: Desk) -> None:
    title, _ = await lent_title(desk)
    await people(desk, "p2")
    body = {"title_id": title, "pickup_branch": "HKCL"}
    made = await desk.api.post("/v1/holds", {**body, "patron_id": "p2"}, as_=STAFF, at=noon(DAY))
    assert (made.status, made.json()["patron_id"], made.json()["position"]) == (201, "p2", 1)
    mine = (await desk.api.get("/v1/me/holds", as_=token("p2"))).json()["items"]
    assert [one["id"] for one in mine] == [made.json()["id"]]
    for as_, sent in ((token("p1"), {**body, "patron_id": "p2"}), (STAFF, body)):
        refused = await desk.api.post("/v1/holds", sent, as_=as_, at=noon(DAY))
        assert (refused.status, refused.json()["code"]) == (404, "no-such-patron")
    again = await desk.api.post("/v1/holds", {**body, "patron_id": "p2"}, as_=STAFF, at=noon(DAY))
    assert again.json()["code"] == "hold-exists"


async def test_another_patrons_hold_is_not_found(desk: Desk) -> None:
    await people(desk, "p2")
    title, _ = await lent_title(desk)
    held = await hold(desk, "p2", title)
    path = f"/v1/holds/{held['id']}"
    for method, body in (("GET", None), ("PATCH", {"frozen": True}), ("DELETE", None)):
        answer = await desk.api.call(method, path, body, as_=token("p1"))
        assert (answer.status, answer.json()["code"]) == (404, "no-such-hold")
    assert (await now(desk, held))["version"] == 1
    assert (await desk.api.delete(path, as_=STAFF)).json()["state"] == "cancelled"


async def test_returning_a_lost_copy_makes_it_available(desk: Desk) -> None:
    loan = await desk.loan()
    path, price = f"/v1/loans/{loan['id']}/loss", {"price_cents": 5000}
    lost = await desk.api.post(path, price, as_=STAFF, at=noon("2020-11-21"))
    assert lost.status == 200, lost.json()
    path = f"/v1/copies/{loan['barcode']}/recovery"
    refused = await desk.api.post(path, {"branch": "HKCL"}, as_=STAFF)
    assert (refused.status, refused.json()["code"]) == (409, "lost-by-patron")
    await desk.patron("p2")
    held = await hold(desk, "p2", loan["title_id"])
    [returned] = await desk.take_back(loan["barcode"], on="2020-11-23")
    assert returned["hold"]["id"] == held["id"]
    assert await faults(desk) == []
