"""A waiting hold says by when it is likely ready, from the library's ended loans and holds."""

from datetime import date
from typing import Any

from services.circulation.experience import store
from services.circulation.loans.jobs import purge_loans
from tests.circulation.desk import Desk, noon
from tests.support import token

P1 = token("p1")
TODAY = "2020-12-08"


async def waiting_hold(desk: Desk) -> dict[str, Any]:
    """Return a hold of p1 on a title whose only copy was lent on 1 December."""
    await desk.patron("p2")
    loan = await desk.loan(on="2020-12-01", to="p2")
    body = {"title_id": loan["title_id"], "pickup_branch": "HKCL"}
    answer = await desk.api.insist("POST", "/v1/holds", body, as_=P1, at=noon(TODAY))
    hold: dict[str, Any] = answer.json()
    return hold


async def learn(desk: Desk, days: int, loans: int) -> None:
    """Count ended loans that all took these days."""
    month = {"_id": "2020-11", "loans": {"adult": {str(days): loans}}}
    await desk.api.app.state.database.experience.insert_one(month)


async def read(desk: Desk, hold_id: str) -> Any:
    answer = await desk.api.insist("GET", f"/v1/holds/{hold_id}", as_=P1, at=noon(TODAY))
    listed = await desk.api.insist("GET", "/v1/me/holds", as_=P1, at=noon(TODAY))
    assert listed.json()["items"][0]["likely_ready_by"] == answer.json()["likely_ready_by"]
    return answer.json()["likely_ready_by"]


async def test_returned_loans_and_ended_holds_are_counted_when_they_are_purged(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    late = await desk.loan(on="2020-11-20")
    body = {"title_id": loan["title_id"], "pickup_branch": "HKCL"}
    await desk.patron("p2")
    placed = await desk.api.insist("POST", "/v1/holds", body, as_=token("p2"), at=noon(TODAY))
    await desk.take_back(loan["barcode"], on="2020-11-30")
    path = f"/v1/holds/{placed.json()['id']}"
    await desk.api.insist("DELETE", path, as_=token("p2"), at=noon("2020-12-01"))
    await purge_loans(desk.run(date(2020, 12, 2)))
    await purge_loans(desk.run(date(2020, 12, 3)))
    found = await store.find(desk.api.app.state.database, date(2020, 12, 3))
    assert found["adult"].loans.counts == {10: 1}
    assert late["id"]


async def test_a_hold_is_likely_ready_when_the_copy_comes_back(desk: Desk) -> None:
    hold = await waiting_hold(desk)
    assert await read(desk, hold["id"]) is None, "nothing is known yet"
    await learn(desk, days=10, loans=99)
    assert await read(desk, hold["id"]) is None, "too little is known"
    await desk.api.app.state.database.experience.drop()
    await learn(desk, days=10, loans=100)
    assert await read(desk, hold["id"]) == {"day": "2020-12-11", "share": 0.8}


async def test_a_preview_says_when_it_would_be_ready(desk: Desk) -> None:
    await learn(desk, days=10, loans=100)
    hold = await waiting_hold(desk)
    await desk.patron("p3")
    body = {"title_id": hold["title_id"], "pickup_branch": "HKCL"}
    would = await desk.api.insist(
        "POST", "/v1/holds?preview=true", body, as_=token("p3"), at=noon(TODAY)
    )
    assert (would.json()["position"], would.json()["likely_ready_by"]) == (
        2,
        {"day": "2020-12-21", "share": 0.8},
    )


async def test_one_request_says_when_new_holds_on_many_titles_would_be_ready(desk: Desk) -> None:
    await learn(desk, days=10, loans=100)
    queued = (await waiting_hold(desk))["title_id"]
    lent = (await desk.loan(on="2020-12-02"))["title_id"]
    free = (await desk.loan(on="2020-12-02"))["title_id"]
    copies = {"copies": [{"barcode": "FREE-1", "branch": "HKCL", "category": "adult"}]}
    await desk.api.insist(
        "POST", f"/v1/titles/{free}/copies", copies, as_=token("l1", ("staff",)), at=noon(TODAY)
    )
    path = f"/v1/titles/likely-ready?pickup_branch=HKCL&id={queued}&id={lent}&id={free}&id=none"
    answer = await desk.api.insist("GET", path, at=noon(TODAY))
    assert {one["title_id"]: one["likely_ready_by"]["day"] for one in answer.json()["items"]} == {
        queued: "2020-12-21",
        lent: "2020-12-12",
    }
    too_many = "&".join(f"id=t{number}" for number in range(21))
    assert (await desk.api.call("GET", f"/v1/titles/likely-ready?{too_many}")).status == 422
