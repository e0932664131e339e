"""Holds: first come, first served by title; a free copy is allotted as soon as possible."""

from typing import Any

import pytest

from shared.contracts.accounts import PatronBlocked, PatronUnblocked
from tests.circulation import shelf
from tests.circulation.desk import STAFF, Desk, closure, noon
from tests.circulation.desk import branch as told
from tests.support import token

# ---- placing ------------------------------------------------------------------------------------


async def test_the_first_hold_in_the_queue_is_served_first(desk: Desk) -> None:
    await shelf.people(desk, "p2", "p3", "p4")
    title, barcode = await shelf.lent_title(desk)
    second = await shelf.hold(desk, "p2", title)
    third = await shelf.hold(desk, "p3", title)
    assert (second["state"], second["position"], third["position"]) == ("waiting", 1, 2)
    assert await waiting(desk, title) == 2
    [returned] = await desk.take_back(barcode, on="2020-11-21")
    assert (returned["hold"]["id"], returned["hold"]["state"]) == (second["id"], "ready")
    assert returned["copy"]["state"] == "on-shelf"
    assert (await shelf.now(desk, third))["position"] == 1
    assert await waiting(desk, title) == 1
    assert await shelf.faults(desk) == []


async def waiting(desk: Desk, title_id: str) -> int:
    """Return how many wait for a title, as the list of the catalogue gives it."""
    items = (await desk.api.get("/v1/titles")).json()["items"]
    return int(next(item["waiting"] for item in items if item["id"] == title_id))


async def test_a_copy_of_another_branch_is_sent_to_the_pick_up_branch(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await shelf.hold(desk, "p1", await shelf.title_of(desk, barcode), at="LFU")
    assert held["state"] == "to-fetch"
    assert await shelf.copy_of(desk, barcode) == ("to-fetch", "HKCL", None)
    fetched = await shelf.arrive(desk, barcode, "HKCL")
    assert fetched["hold"]["state"] == "in-transit"
    assert await shelf.copy_of(desk, barcode) == ("in-transit", "HKCL", "LFU")
    placed = await shelf.arrive(desk, barcode, "LFU", on="2020-11-23")
    assert (placed["hold"]["state"], placed["hold"]["shelf_until"]) == ("ready", "2020-11-30")
    assert await shelf.copy_of(desk, barcode) == ("on-shelf", "LFU", None)
    assert await shelf.faults(desk) == []


async def test_the_nearest_of_several_copies_is_assigned(desk: Desk) -> None:
    near, far = await desk.copies(1, branch="LFU"), await desk.copies(1)
    title = await shelf.title_of(desk, near[0])
    body = {"copies": [{"barcode": f"{far[0]}-2", "category": "adult", "branch": "HKCL"}]}
    added = await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    assert added.status == 201
    held = await shelf.hold(desk, "p1", title, at="LFU")
    assert held["state"] == "to-fetch"
    assert await shelf.copy_of(desk, near[0]) == ("to-fetch", "LFU", None)


async def test_new_copies_are_assigned_to_waiting_holds(desk: Desk) -> None:
    await shelf.people(desk, "p2")
    title, barcode = await shelf.lent_title(desk)
    held = await shelf.hold(desk, "p2", title)
    body = {"copies": [{"barcode": f"{barcode}-2", "category": "adult", "branch": "HKCL"}]}
    added = await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    assert [copy["state"] for copy in added.json()["copies"]] == ["on-loan", "to-fetch"]
    assert (await shelf.now(desk, held))["state"] == "to-fetch"


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
async def test_an_invalid_hold_is_refused(
    desk: Desk, change: dict[str, Any], status: int, code: str
) -> None:
    title = await shelf.title_of(desk, (await desk.copies(1))[0])
    body = {"title_id": title, "pickup_branch": "HKCL", **change}
    answer = await desk.api.post("/v1/holds", body, as_=token("p1"), at=noon("2020-11-20"))
    assert (answer.status, answer.json()["code"]) == (status, code)
    assert await shelf.faults(desk) == []


async def test_a_hold_is_refused_if_the_patron_has_the_title_on_loan(desk: Desk) -> None:
    await shelf.people(desk, "p2")
    title, _ = await shelf.lent_title(desk)
    assert (await shelf.reserve(desk, "p1", title)).json()["code"] == "title-on-loan"
    await shelf.hold(desk, "p2", title)
    again = await shelf.reserve(desk, "p2", title)
    assert (again.status, again.json()["code"]) == (409, "hold-exists")


async def test_a_hold_is_refused_if_the_patron_is_blocked_or_owes_money(desk: Desk) -> None:
    title, _ = await shelf.lent_title(desk)
    await shelf.people(desk, "p2", "p3")
    await shelf.account(desk, PatronBlocked, "p2", 2, "blocked")
    late = await desk.loan(to="p3", on="2020-10-01")
    await desk.take_back(late["barcode"], on="2020-11-01")
    for patron in ("p2", "p3"):
        assert (await shelf.reserve(desk, patron, title)).json()["code"] == "patron-blocked"


async def test_the_eleventh_hold_is_refused(desk: Desk) -> None:
    titles = [await shelf.title_of(desk, (await desk.copies(1))[0]) for _ in range(11)]
    for title in titles[:10]:
        await shelf.hold(desk, "p1", title)
    assert (await shelf.reserve(desk, "p1", titles[10])).json()["code"] == "hold-limit"
    assert await shelf.faults(desk) == []


# ---- collecting ---------------------------------------------------------------------------------


async def test_collecting_a_hold_charges_the_hold_fee(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await shelf.kept(desk, "p1", barcode)
    [lent] = await desk.lend(barcode, on="2020-11-21")
    assert lent["ok"]
    assert (await shelf.now(desk, held))["state"] == "collected"
    charges = (await desk.api.get("/v1/me/charges", as_=token("p1"))).json()["items"]
    assert [(one["kind"], one["amount_cents"]) for one in charges] == [("hold-fee", 330)]
    title = (await desk.api.get(f"/v1/titles/{held['title_id']}")).json()["title"]
    assert charges[0]["title"] == title
    assert await desk.count("hold.collected") == 1
    assert await shelf.faults(desk) == []


async def test_a_copy_on_the_hold_shelf_is_not_lent_to_another_patron(desk: Desk) -> None:
    await shelf.people(desk, "p2")
    [barcode] = await desk.copies(1)
    await shelf.kept(desk, "p1", barcode)
    [refused] = await desk.lend(barcode, to="p2")
    assert refused["problem"]["code"] == "copy-kept"


async def test_borrowing_a_different_copy_does_not_collect_the_hold_and_charges_no_fee(
    desk: Desk,
) -> None:
    await shelf.people(desk, "p2")
    mine, free = await desk.copies(2)
    title = await shelf.title_of(desk, mine)
    held = await shelf.hold(desk, "p1", title)
    mine, free = (
        (mine, free) if (await shelf.copy_of(desk, mine))[0] == "to-fetch" else (free, mine)
    )
    assert (await shelf.arrive(desk, mine, "HKCL"))["hold"]["state"] == "ready"
    await desk.lend(free, to="p2")
    await shelf.people(desk, "p3")
    waits = await shelf.hold(desk, "p3", title)
    await desk.take_back(free, on="2020-11-21")  # now ready for p3
    [lent] = await desk.lend(free, to="p3", on="2020-11-21")
    assert lent["ok"]
    assert (await shelf.now(desk, waits))["state"] == "collected"
    body = {"copies": [{"barcode": f"{mine}-3", "category": "adult", "branch": "HKCL"}]}
    await desk.api.post(f"/v1/titles/{title}/copies", body, as_=STAFF)
    [lent] = await desk.lend(f"{mine}-3", to="p1", on="2020-11-22")
    assert lent["ok"]
    ended = await shelf.now(desk, held)
    assert ended["state"] == "cancelled"
    assert await shelf.copy_of(desk, mine) == ("available", "HKCL", None)
    assert (await desk.api.get("/v1/me/charges", as_=token("p1"))).json()["items"] == []
    assert await shelf.faults(desk) == []


async def test_a_renewal_is_refused_while_a_hold_that_can_be_served_waits(desk: Desk) -> None:
    await shelf.people(desk, "p2")
    loan = await desk.loan()
    title = loan["title_id"]
    path, p1 = f"/v1/loans/{loan['id']}/renewals", token("p1")
    held = await shelf.hold(desk, "p2", title)
    refused = await desk.api.post(path, as_=p1, at=noon("2020-11-25"))
    assert refused.json()["code"] == "hold-waiting"
    each = await desk.api.post("/v1/me/renewals", as_=p1, at=noon("2020-11-25"))
    assert each.json()["results"][0]["problem"]["code"] == "hold-waiting"
    await shelf.amend(desk, held, frozen=True)
    assert (await desk.api.post(path, as_=p1, at=noon("2020-11-25"))).status == 200


# ---- passed over --------------------------------------------------------------------------------


async def test_a_hold_that_cannot_be_served_is_passed_over_and_keeps_its_place(desk: Desk) -> None:
    await shelf.people(desk, "blocked", "shut", "frozen", "late", "next")
    title, barcode = await shelf.lent_title(desk)
    await desk.hear(told("SHUT", "district"))
    blocked = await shelf.hold(desk, "blocked", title)
    shut = await shelf.hold(desk, "shut", title, at="SHUT")
    frozen = await shelf.hold(desk, "frozen", title)
    late = await shelf.hold(desk, "late", title, expires_on="2020-11-20")
    following = await shelf.hold(desk, "next", title)
    await shelf.account(desk, PatronBlocked, "blocked", 2, "blocked")
    no_end = closure("c1", "2020-11-10", (2, None))
    await desk.hear(told("SHUT", "district", version=2, closures=(no_end,)))
    assert (await shelf.amend(desk, frozen, frozen=True, frozen_until="2020-12-05")).status == 200
    [returned] = await desk.take_back(barcode, on="2020-11-21")
    assert returned["hold"]["id"] == following["id"]
    assert await shelf.faults(desk, "2020-11-21") == []

    # Each is served at its place as soon as it can be served.
    await desk.lend(barcode, to="next", on="2020-11-22")
    await desk.take_back(barcode, on="2020-11-23")
    assert (await shelf.copy_of(desk, barcode))[0] == "available"
    await shelf.account(desk, PatronUnblocked, "blocked", 3, "active")
    assert (await shelf.now(desk, blocked))["state"] == "to-fetch"
    await desk.lend(barcode, to="blocked", on="2020-11-24")
    await desk.take_back(barcode, on="2020-11-25")
    reopens = closure("c1", "2020-11-10", (2, None), (3, "2020-12-01"))
    await desk.hear(told("SHUT", "district", version=3, closures=(reopens,)))
    assert (await shelf.now(desk, shut))["state"] == "to-fetch"
    await shelf.arrive(desk, barcode, "SHUT", on="2020-12-01")
    await desk.lend(barcode, to="shut", on="2020-12-02", branch="SHUT")
    await desk.take_back(barcode, on="2020-12-03")
    assert (await shelf.now(desk, late))["state"] == "waiting"
    assert await shelf.run_job(desk, "2020-12-04") == 1
    assert (await shelf.now(desk, late))["state"] == "expired"
    assert await shelf.run_job(desk, "2020-12-05") == 1
    assert (await shelf.now(desk, frozen))["state"] == "to-fetch"
    assert await shelf.faults(desk, "2020-12-05") == []


async def test_a_hold_is_served_at_once_when_its_freeze_is_lifted(desk: Desk) -> None:
    await shelf.people(desk, "p2")
    title, barcode = await shelf.lent_title(desk)
    held = await shelf.hold(desk, "p2", title)
    await shelf.amend(desk, held, frozen=True)
    await desk.take_back(barcode, on="2020-11-21")
    assert (await shelf.copy_of(desk, barcode))[0] == "available"
    answer = await shelf.amend(desk, held, frozen=False, on="2020-11-22")
    assert (answer.json()["state"], answer.json()["frozen"]) == ("to-fetch", False)
    again = await shelf.amend(desk, held, frozen=True)
    assert (again.status, again.json()["code"]) == (409, "hold-not-waiting")
