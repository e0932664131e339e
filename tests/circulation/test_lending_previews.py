"""Previews of a check-out and of a hold say what they would do, and change nothing."""

from typing import Any

from tests.circulation.desk import STAFF, Desk, card_of, noon
from tests.support import Answer, token

P1 = token("p1")
TODAY = "2020-12-08"


async def stored(desk: Desk) -> dict[str, list[Any]]:
    """Return all documents that lending and reserving could change."""
    db = desk.api.app.state.database
    names = ("loans", "holds", "copies", "borrowers", "queues", "charges", "outbox", "answers")
    return {name: [one async for one in db[name].find().sort("_id")] for name in names}


async def check_out(desk: Desk, *barcodes: str, query: str = "") -> Answer:
    body = {"card_number": card_of("p1"), "barcodes": barcodes, "branch": "HKCL"}
    return await desk.api.insist("POST", f"/v1/checkouts{query}", body, as_=STAFF, at=noon(TODAY))


async def test_a_preview_of_a_check_out_gives_terms_and_changes_nothing(desk: Desk) -> None:
    for _ in range(8):
        await desk.loan(on=TODAY)
    adult, other = await desk.copies(2)
    [children] = await desk.copies(1, "children")
    before = await stored(desk)
    would = await check_out(desk, adult, "NONE-1", children, other, query="?preview=true")
    assert await stored(desk) == before
    first, unknown, second, over = would.json()["results"]
    assert first["effect"] == {
        "due_on": "2020-12-22",
        "fine_per_day_cents": 150,
        "fine_cap_cents": 13_000,
        "fine_terms": "$1.50 a day, at most $130.00",
        "currency": "HKD",
        "renewals_left": 5,
    }
    assert second["effect"]["fine_per_day_cents"] == 50
    assert (unknown["ok"], unknown["problem"]["code"]) == (False, "no-such-copy")
    assert (over["ok"], over["problem"]["code"]) == (False, "loan-limit")
    assert over["problem"]["ways_out"][0]["steps"][0]["do"] == "return"

    made = (await check_out(desk, adult, "NONE-1", children, other)).json()["results"]
    assert [one["ok"] for one in made] == [True, False, True, False]
    assert made[0]["loan"]["due_on"] == "2020-12-22"
    assert made[3]["problem"]["code"] == over["problem"]["code"]


async def test_a_preview_of_a_hold_gives_place_fee_and_limit_and_changes_nothing(
    desk: Desk,
) -> None:
    await desk.patron("p2")
    [barcode] = await desk.copies(1)
    [lent] = await desk.lend(barcode, to="p2", on=TODAY)
    body = {"title_id": lent["loan"]["title_id"], "pickup_branch": "HKCL"}
    before = await stored(desk)
    would = await desk.api.insist("POST", "/v1/holds?preview=true", body, as_=P1, at=noon(TODAY))
    assert await stored(desk) == before
    assert (would.status, would.json()) == (
        200,
        {
            **body,
            "position": 1,
            "likely_ready_by": None,
            "fee_cents": 330,
            "currency": "HKD",
            "open_holds": 1,
            "max_holds": 10,
        },
    )
    made = await desk.api.insist("POST", "/v1/holds", body, as_=P1, at=noon(TODAY))
    assert (made.status, made.json()["position"]) == (201, 1)
    again = await desk.api.insist("POST", "/v1/holds?preview=true", body, as_=P1, at=noon(TODAY))
    assert (again.status, again.json()["code"]) == (409, "hold-exists")
