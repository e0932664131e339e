"""Check-out, return and the statement, through the doors."""

from tests.circulation.desk import Desk
from tests.support import token


async def test_a_copy_is_lent_and_comes_back_late_with_its_statement(desk: Desk) -> None:
    patron = token("p1")
    loan = await desk.loan(on="2020-11-20")
    assert (loan["due_on"], loan["state"], loan["renewals_left"]) == ("2020-12-04", "open", 5)

    [result] = await desk.take_back(loan["barcode"], on="2020-12-07")
    assert result["ok"]
    assert result["loan"]["state"] == "returned"
    assert result["charge"]["amount_cents"] == 450  # 5, 6, 7 December
    [span] = result["statement"]["spans"]
    assert (span["from"], span["to"], span["days"]) == ("2020-12-05", "2020-12-07", 3)
    assert span["cause"]["kind"] == "policy"

    statement = await desk.api.get(f"/v1/loans/{loan['id']}/fine-statement", as_=patron)
    assert statement.json()["as_of"] == "2020-12-07"
    assert statement.json()["spans"] == result["statement"]["spans"]
    charge = await desk.api.get(f"/v1/charges/{result['charge']['id']}", as_=patron)
    assert charge.json() == result["charge"]
    charges = (await desk.api.get("/v1/me/charges", as_=patron)).json()
    assert charges == {"items": [result["charge"]], "next": None}
    assert (await desk.api.get("/v1/me/loans", as_=patron)).json()["items"] == []


async def test_a_copy_in_time_costs_nothing_and_makes_no_charge(desk: Desk) -> None:
    loan = await desk.loan(on="2020-11-20")
    [result] = await desk.take_back(loan["barcode"], on="2020-12-04", branch="LFU")
    assert (result["ok"], result["charge"]) == (True, None)
    assert result["statement"]["amount_cents"] == 0
    assert await desk.count("fine.assessed") == 0
    [again] = await desk.take_back(loan["barcode"], on="2020-12-04")
    assert again["problem"]["code"] == "not-on-loan"
    [lent_again] = await desk.lend(loan["barcode"], on="2020-12-04")
    assert lent_again["ok"]
