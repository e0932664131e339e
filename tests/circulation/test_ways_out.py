"""Refusals name the cheapest ways out; `rules/test_ways_out.py` tries random ones."""

from typing import Any

from tests.circulation.desk import STAFF, Desk, noon
from tests.support import token

P1 = token("p1")
TODAY = "2020-12-08"
"""Four days after a loan of 20 November was due: $6.00."""


async def set_policy(desk: Desk, **terms: Any) -> None:
    """Change terms of the row for everyone."""
    answer = await desk.api.insist(
        "PUT", "/v1/policies/default", {**terms, "reason": "test"}, as_=STAFF
    )
    assert answer.status == 200, answer.json()


async def pay(desk: Desk, cents: int, on: str = TODAY, patron_id: str = "p1") -> None:
    """Pay a part of what a patron owes, in cash."""
    path = f"/v1/patrons/{patron_id}"
    listed = await desk.api.get(f"{path}/charges?open_only=true", as_=STAFF)
    open_ = listed.json()["items"]
    body = {
        "charge_ids": [charge["id"] for charge in open_],
        "amount_cents": cents,
        "shown_cents": sum(charge["outstanding_cents"] for charge in open_),
    }
    answer = await desk.api.insist("POST", f"{path}/payments", body, as_=STAFF, at=noon(on))
    assert answer.status == 201, answer.json()


async def refused(desk: Desk, barcode: str, on: str = TODAY) -> dict[str, Any]:
    [result] = await desk.lend(barcode, on=on)
    assert not result["ok"], result
    problem: dict[str, Any] = result["problem"]
    return problem


async def test_a_reader_at_the_limit_may_return_one_item(desk: Desk) -> None:
    loans = [await desk.loan(on=TODAY) for _ in range(10)]
    [wanted] = await desk.copies(1)
    problem = await refused(desk, wanted)
    assert problem["code"] == "loan-limit"
    [way] = problem["ways_out"]
    [step] = way["steps"]
    assert (step["do"], step["items"], step["any_item"]) == ("return", 1, True)
    [returned] = [loan for loan in loans if loan["id"] in step["loan_ids"]]
    await desk.take_back(returned["barcode"], on=TODAY)
    [result] = await desk.lend(wanted, on=TODAY)
    assert result["ok"]


async def test_an_item_that_is_not_overdue_is_returned_first(desk: Desk) -> None:
    late = [await desk.loan(on="2020-11-20") for _ in range(9)]
    new = await desk.loan(on=TODAY)
    [wanted] = await desk.copies(1)
    [way] = (await refused(desk, wanted))["ways_out"]
    assert way["steps"] == [
        {"do": "return", "items": 1, "loan_ids": [new["id"]], "any_item": False}
    ]
    assert len(late) == 9


async def test_a_reader_who_owes_and_is_at_the_limit_returns_and_pays(desk: Desk) -> None:
    loans = [await desk.loan(on="2020-11-20")] + [await desk.loan(on=TODAY) for _ in range(10 - 1)]
    await desk.take_back(loans[0]["barcode"], on=TODAY)  # $6.00
    [wanted, other] = await desk.copies(2)
    [way] = (await refused(desk, wanted))["ways_out"]
    assert way["steps"] == [{"do": "pay", "cents": 600}]
    await pay(desk, 599)
    assert not (await desk.lend(wanted, on=TODAY))[0]["ok"]
    await pay(desk, 1)
    assert (await desk.lend(wanted, on=TODAY))[0]["ok"]
    assert (await refused(desk, other))["ways_out"][0]["steps"][0]["do"] == "return"


async def test_another_copy_at_the_library_is_offered(desk: Desk) -> None:
    await desk.patron("p2")
    first, second = await desk.copies(2)
    await desk.lend(first, to="p2", on=TODAY)
    problem = await refused(desk, first)
    assert problem["code"] == "copy-on-loan"
    assert problem["ways_out"] == [{"steps": [{"do": "choose-copy", "barcode": second}]}]


async def test_no_way_of_the_readers_own_leads_to_the_staff(desk: Desk) -> None:
    [barcode] = await desk.copies(1)
    ask = [{"steps": [{"do": "ask", "ask": "staff"}]}]
    assert (await refused(desk, "NONE-1"))["ways_out"] == ask
    await desk.patron("p3", version=2, status="blocked", blocked_by=("staff",))
    [result] = await desk.lend(barcode, to="p3", on=TODAY)
    assert (result["problem"]["code"], result["problem"]["ways_out"]) == ("patron-blocked", ask)


async def test_a_renewal_that_gains_nothing_says_from_when_on_it_would(desk: Desk) -> None:
    loan = await desk.loan(on=TODAY)
    path = f"/v1/loans/{loan['id']}/renewals"
    answer = await desk.api.insist("POST", path, as_=P1, at=noon(TODAY))
    assert answer.json()["code"] == "nothing-to-gain"
    [way] = answer.json()["ways_out"]
    assert way == {"steps": [{"do": "wait", "until": "2020-12-09"}]}
    later = await desk.api.insist("POST", path, as_=P1, at=noon("2020-12-09"))
    assert later.status == 200


async def test_a_hold_over_the_limit_may_replace_the_last_one(desk: Desk) -> None:
    holds = [await reserve(desk) for _ in range(10)]
    answer = await reserve_answer(desk)
    assert (answer.status, answer.json()["code"]) == (409, "hold-limit")
    [way] = answer.json()["ways_out"]
    assert way["steps"] == [{"do": "cancel-holds", "holds": 1, "hold_ids": [holds[-1]["id"]]}]
    await desk.api.insist("DELETE", f"/v1/holds/{holds[-1]['id']}", as_=P1, at=noon(TODAY))
    assert (await reserve_answer(desk)).status == 201


async def test_a_title_on_loan_is_returned_before_it_is_reserved(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    answer = await reserve_answer(desk, loan["title_id"])
    assert answer.json()["code"] == "title-on-loan"
    [way] = answer.json()["ways_out"]
    assert way["steps"] == [
        {"do": "return", "items": 1, "loan_ids": [loan["id"]], "any_item": True},
        {"do": "pay", "cents": 600},
    ]


async def reserve_answer(desk: Desk, title_id: str = "") -> Any:
    if not title_id:
        [barcode] = await desk.copies(1)
        await desk.api.insist(
            "POST", f"/v1/copies/{barcode}/removal", {"fault": "damaged"}, as_=STAFF
        )
        found = await desk.api.get(f"/v1/copies/{barcode}", as_=STAFF)
        title_id = found.json()["title_id"]
    body = {"title_id": title_id, "pickup_branch": "HKCL"}
    return await desk.api.insist("POST", "/v1/holds", body, as_=P1, at=noon(TODAY))


async def reserve(desk: Desk) -> dict[str, Any]:
    answer = await reserve_answer(desk)
    assert answer.status == 201, answer.json()
    hold: dict[str, Any] = answer.json()
    return hold
