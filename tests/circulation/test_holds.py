"""Holds: first come, first served by title; a free copy is allotted as soon as possible."""

from typing import Any

import pytest

from shared.contracts.accounts import PatronBlocked, PatronErased, PatronUnblocked
from shared.ids import card_digest
from tests.circulation.desk import KEY, STAFF, STATION, Desk, card_of, closure, noon
from tests.circulation.desk import branch as told
from tests.circulation.shelf import (
    DAY,
    amend,
    arrive,
    copy_of,
    faults,
    hold,
    kept,
    now,
    reserve,
    run_job,
    title_of,
)
from tests.support import token


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


# ---- placing ------------------------------------------------------------------------------------


async def test_the_first_hold_in_the_queue_is_served_first(desk: Desk) -> None:
    await people(desk, "p2", "p3", "p4")
    title, barcode = await lent_title(desk)
    second = await hold(desk, "p2", title)
    third = await hold(desk, "p3", title)
    assert (second["state"], second["position"], third["position"]) == ("waiting", 1, 2)
    [returned] = await desk.take_back(barcode, on="2020-11-21")
    assert (returned["hold"]["id"], returned["hold"]["state"]) == (second["id"], "ready")
    assert returned["copy"]["state"] == "on-shelf"
    assert (await now(desk, third))["position"] == 1
    assert await faults(desk) == []


async def test_a_copy_of_another_branch_travels_to_the_pick_up_branch(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await hold(desk, "p1", await title_of(desk, barcode), at="LFU")
    assert held["state"] == "to-fetch"
    assert await copy_of(desk, barcode) == ("to-fetch", "HKCL", None)
    fetched = await arrive(desk, barcode, "HKCL")
    assert fetched["hold"]["state"] == "in-transit"
    assert await copy_of(desk, barcode) == ("in-transit", "HKCL", "LFU")
    placed = await arrive(desk, barcode, "LFU", on="2020-11-23")
    assert (placed["hold"]["state"], placed["hold"]["shelf_until"]) == ("ready", "2020-11-30")
    assert await copy_of(desk, barcode) == ("on-shelf", "LFU", None)
    assert await faults(desk) == []


async def test_the_nearest_of_several_copies_is_allotted(desk: Desk) -> None:
    near, far = await desk.copies(1, branch="LFU"), await desk.copies(1)
    title = await title_of(desk, near[0])
    body = {"copies": [{"barcode": f"{far[0]}-2", "category": "adult", "branch": "HKCL"}]}
    added = await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    assert added.status == 201
    held = await hold(desk, "p1", title, at="LFU")
    assert held["state"] == "to-fetch"
    assert await copy_of(desk, near[0]) == ("to-fetch", "LFU", None)


async def test_new_copies_go_to_who_waits(desk: Desk) -> None:
    await people(desk, "p2")
    title, barcode = await lent_title(desk)
    held = await hold(desk, "p2", title)
    body = {"copies": [{"barcode": f"{barcode}-2", "category": "adult", "branch": "HKCL"}]}
    added = await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    assert [copy["state"] for copy in added.json()["copies"]] == ["on-loan", "to-fetch"]
    assert (await now(desk, held))["state"] == "to-fetch"


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"title_id": "none"}, 404, "no-such-title"),
        ({"pickup_branch": "NONE"}, 404, "unknown-branch"),
        ({"expires_on": "2020-11-19"}, 409, "ends-before-today"),
        ({"expires_on": "tomorrow"}, 422, "malformed"),
        ({"colour": "red"}, 422, "malformed"),
    ],
)
async def test_a_hold_that_makes_no_sense_is_refused(
    desk: Desk, change: dict[str, Any], status: int, code: str
) -> None:
    title = await title_of(desk, (await desk.copies(1))[0])
    body = {"title_id": title, "pickup_branch": "HKCL", **change}
    answer = await desk.api.post("/v1/holds", body, as_=token("p1"), at=noon("2020-11-20"))
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert await faults(desk) == []


async def test_a_hold_is_refused_to_who_has_the_title_already(desk: Desk) -> None:
    await people(desk, "p2")
    title, _ = await lent_title(desk)
    assert (await reserve(desk, "p1", title)).json()["code"] == "title-on-loan"
    await hold(desk, "p2", title)
    again = await reserve(desk, "p2", title)
    assert (again.status, again.json()["code"]) == (409, "hold-exists")


async def test_a_hold_is_refused_to_who_is_blocked_or_owes_money(desk: Desk) -> None:
    title, _ = await lent_title(desk)
    await people(desk, "p2", "p3")
    await account(desk, PatronBlocked, "p2", 2, "blocked")
    late = await desk.loan(to="p3", on="2020-10-01")
    await desk.take_back(late["barcode"], on="2020-11-01")
    for patron in ("p2", "p3"):
        assert (await reserve(desk, patron, title)).json()["code"] == "patron-blocked"


async def test_the_eleventh_hold_is_refused(desk: Desk) -> None:
    titles = [await title_of(desk, (await desk.copies(1))[0]) for _ in range(11)]
    for title in titles[:10]:
        await hold(desk, "p1", title)
    assert (await reserve(desk, "p1", titles[10])).json()["code"] == "hold-limit"
    assert await faults(desk) == []


# ---- collecting ---------------------------------------------------------------------------------


async def test_collecting_a_hold_charges_the_hold_fee(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await kept(desk, "p1", barcode)
    [lent] = await desk.lend(barcode, on="2020-11-21")
    assert lent["ok"]
    assert (await now(desk, held))["state"] == "collected"
    charges = (await desk.api.get("/v1/me/charges", as_=token("p1"))).json()["items"]
    assert [(one["kind"], one["amount_cents"]) for one in charges] == [("hold-fee", 330)]
    assert await desk.count("hold.collected") == 1
    assert await faults(desk) == []


async def test_a_copy_kept_for_a_hold_is_not_lent_to_another_patron(desk: Desk) -> None:
    await people(desk, "p2")
    [barcode] = await desk.copies(1)
    await kept(desk, "p1", barcode)
    [refused] = await desk.lend(barcode, to="p2")
    assert refused["problem"]["code"] == "copy-kept"


async def test_borrowing_a_different_copy_does_not_collect_the_hold_and_charges_no_fee(
    desk: Desk,
) -> None:
    await people(desk, "p2")
    mine, free = await desk.copies(2)
    title = await title_of(desk, mine)
    held = await hold(desk, "p1", title)
    mine, free = (mine, free) if (await copy_of(desk, mine))[0] == "to-fetch" else (free, mine)
    assert (await arrive(desk, mine, "HKCL"))["hold"]["state"] == "ready"
    await desk.lend(free, to="p2")
    await people(desk, "p3")
    waits = await hold(desk, "p3", title)
    await desk.take_back(free, on="2020-11-21")  # now ready for p3
    [lent] = await desk.lend(free, to="p3", on="2020-11-21")
    assert lent["ok"]
    assert (await now(desk, waits))["state"] == "collected"
    body = {"copies": [{"barcode": f"{mine}-3", "category": "adult", "branch": "HKCL"}]}
    await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    [lent] = await desk.lend(f"{mine}-3", to="p1", on="2020-11-22")
    assert lent["ok"]
    ended = await now(desk, held)
    assert ended["state"] == "cancelled"
    assert await copy_of(desk, mine) == ("available", "HKCL", None)
    assert (await desk.api.get("/v1/me/charges", as_=token("p1"))).json()["items"] == []
    assert await faults(desk) == []


async def test_a_renewal_is_refused_while_somebody_waits_who_can_be_served(desk: Desk) -> None:
    await people(desk, "p2")
    loan = await desk.loan()
    title = loan["title_id"]
    path, p1 = f"/v1/loans/{loan['id']}/renewals", token("p1")
    held = await hold(desk, "p2", title)
    refused = await desk.api.post(path, as_=p1, at=noon("2020-11-25"))
    assert refused.json()["code"] == "hold-waiting"
    each = await desk.api.post("/v1/me/renewals", as_=p1, at=noon("2020-11-25"))
    assert each.json()["results"][0]["problem"]["code"] == "hold-waiting"
    await amend(desk, held, frozen=True)
    assert (await desk.api.post(path, as_=p1, at=noon("2020-11-25"))).status == 200


# ---- passed over --------------------------------------------------------------------------------


async def test_a_hold_that_cannot_be_served_is_passed_over_and_keeps_its_place(desk: Desk) -> None:
    await people(desk, "blocked", "shut", "frozen", "late", "next")
    title, barcode = await lent_title(desk)
    await desk.hear(told("SHUT", "district"))
    blocked = await hold(desk, "blocked", title)
    shut = await hold(desk, "shut", title, at="SHUT")
    frozen = await hold(desk, "frozen", title)
    late = await hold(desk, "late", title, expires_on="2020-11-20")
    following = await hold(desk, "next", title)
    await account(desk, PatronBlocked, "blocked", 2, "blocked")
    no_end = closure("c1", "2020-11-10", (2, None))
    await desk.hear(told("SHUT", "district", version=2, closures=(no_end,)))
    assert (await amend(desk, frozen, frozen=True, frozen_until="2020-12-05")).status == 200
    [returned] = await desk.take_back(barcode, on="2020-11-21")
    assert returned["hold"]["id"] == following["id"]
    assert await faults(desk, "2020-11-21") == []

    # Each is served at its place as soon as it can be served.
    await desk.lend(barcode, to="next", on="2020-11-22")
    await desk.take_back(barcode, on="2020-11-23")
    assert (await copy_of(desk, barcode))[0] == "available"
    await account(desk, PatronUnblocked, "blocked", 3, "active")
    assert (await now(desk, blocked))["state"] == "to-fetch"
    await desk.lend(barcode, to="blocked", on="2020-11-24")
    await desk.take_back(barcode, on="2020-11-25")
    reopens = closure("c1", "2020-11-10", (2, None), (3, "2020-12-01"))
    await desk.hear(told("SHUT", "district", version=3, closures=(reopens,)))
    assert (await now(desk, shut))["state"] == "to-fetch"
    await arrive(desk, barcode, "SHUT", on="2020-12-01")
    await desk.lend(barcode, to="shut", on="2020-12-02", branch="SHUT")
    await desk.take_back(barcode, on="2020-12-03")
    assert (await now(desk, late))["state"] == "waiting"
    assert await run_job(desk, "2020-12-04") == 1
    assert (await now(desk, late))["state"] == "expired"
    assert await run_job(desk, "2020-12-05") == 1
    assert (await now(desk, frozen))["state"] == "to-fetch"
    assert await faults(desk, "2020-12-05") == []


async def test_a_frozen_hold_that_is_wanted_again_is_served_at_once(desk: Desk) -> None:
    await people(desk, "p2")
    title, barcode = await lent_title(desk)
    held = await hold(desk, "p2", title)
    await amend(desk, held, frozen=True)
    await desk.take_back(barcode, on="2020-11-21")
    assert (await copy_of(desk, barcode))[0] == "available"
    answer = await amend(desk, held, frozen=False, on="2020-11-22")
    assert (answer.json()["state"], answer.json()["frozen"]) == ("to-fetch", False)
    again = await amend(desk, held, frozen=True)
    assert (again.status, again.json()["code"]) == (409, "hold-not-waiting")


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


async def test_a_copy_without_a_hold_travels_home(desk: Desk) -> None:
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


async def test_a_cancelled_hold_gives_its_copy_to_the_next_in_line(desk: Desk) -> None:
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


async def test_an_uncollected_copy_goes_to_the_next_hold(desk: Desk) -> None:
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
async def test_a_hold_whose_copy_cannot_be_had_waits_again_at_its_place(
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


async def test_a_copy_on_loan_is_not_taken_out(desk: Desk) -> None:
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


async def test_the_rule_decides_before_the_shelf_date_has_moved(desk: Desk) -> None:
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


async def test_staff_reserve_for_whom_they_name_and_a_patron_for_nobody_else(desk: Desk) -> None:
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


async def test_another_patrons_hold_does_not_exist(desk: Desk) -> None:
    await people(desk, "p2")
    title, _ = await lent_title(desk)
    held = await hold(desk, "p2", title)
    path = f"/v1/holds/{held['id']}"
    for method, body in (("GET", None), ("PATCH", {"frozen": True}), ("DELETE", None)):
        answer = await desk.api.call(method, path, body, as_=token("p1"))
        assert (answer.status, answer.json()["code"]) == (404, "no-such-hold")
    assert (await now(desk, held))["version"] == 1
    assert (await desk.api.delete(path, as_=STAFF)).json()["state"] == "cancelled"


async def test_a_copy_that_a_patron_lost_comes_back_by_a_return(desk: Desk) -> None:
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
