"""A scanned barcode tells the desk what the copy is, and who has it or is to get it."""

from typing import Any

from tests.circulation.desk import STAFF, STATION, Desk
from tests.circulation.shelf import DAY, arrive, hold, title_of


async def whereabouts(desk: Desk, barcode: str) -> dict[str, Any]:
    answer = await desk.api.get(f"/v1/copies/{barcode}/whereabouts", as_=STAFF)
    assert answer.status == 200, answer.body
    found: dict[str, Any] = answer.json()
    return found


async def test_a_copy_on_its_shelf_has_neither_loan_nor_hold(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    found = await whereabouts(desk, barcode)
    assert found["title"]["id"] == await title_of(desk, barcode)
    assert (found["copy"]["state"], found["loan"], found["hold"]) == ("available", None, None)


async def test_a_copy_on_loan_names_its_patron_until_it_is_back(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    [lent] = await desk.lend(barcode, on=DAY)
    found = await whereabouts(desk, barcode)
    assert (found["copy"]["state"], found["loan"]["patron_id"]) == ("on-loan", "p1")
    assert found["loan"]["due_on"] == lent["loan"]["due_on"]
    await desk.take_back(barcode, on=DAY)
    assert (await whereabouts(desk, barcode))["loan"] is None


async def test_a_lost_copy_names_the_loan_that_ended_with_its_loss(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    [lent] = await desk.lend(barcode, on=DAY)
    path = f"/v1/loans/{lent['loan']['id']}/loss"
    assert (await desk.api.post(path, {"price_cents": 900}, as_=STAFF)).status == 200
    found = await whereabouts(desk, barcode)
    assert (found["copy"]["state"], found["loan"]["state"]) == ("lost", "lost")


async def test_a_copy_for_a_hold_names_the_patron_it_waits_for(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    held = await hold(desk, "p1", await title_of(desk, barcode), at="HKCL")
    assert (await whereabouts(desk, barcode))["hold"]["id"] == held["id"]
    await arrive(desk, barcode, "HKCL")
    found = await whereabouts(desk, barcode)
    assert (found["copy"]["state"], found["hold"]["patron_id"]) == ("on-shelf", "p1")


async def test_only_staff_may_ask_and_each_look_at_a_patron_is_recorded(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    await desk.lend(barcode, on=DAY)
    path = f"/v1/copies/{barcode}/whereabouts"
    assert (await desk.api.get(path, as_=STATION)).status == 403
    assert (await desk.api.get("/v1/copies/nothing/whereabouts", as_=STAFF)).status == 404
    await whereabouts(desk, barcode)
    act = "GET /v1/copies/{barcode}/whereabouts"
    looks = await desk.api.app.state.database.audit_trail.find({"act": act}).to_list(9)
    assert [look["objects"] for look in looks] == [[barcode, "p1"]]
