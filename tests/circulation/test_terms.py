"""Terms that few rows set, from the policy row to what is charged."""

import asyncio
from typing import Any

import pytest

from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer, token

P1 = token("p1")
LATE = "2020-12-14"
"""Ten days after the due date of a loan made on 20 November under the default row."""


async def terms(desk: Desk, **row: Any) -> Answer:
    """Set terms of the row for everyone."""
    return await desk.api.insist(
        "PUT",
        "/v1/policies/default",
        {"reason": "New rules", **row},
        as_=STAFF,
        at=noon("2020-11-01"),
    )


async def charges(desk: Desk) -> list[dict[str, Any]]:
    answer = await desk.api.get("/v1/me/charges", as_=P1)
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_a_return_charges_by_weeks_and_tiers_and_the_account_agrees(desk: Desk) -> None:
    await terms(desk, charge_unit="week", fine_tiers=[{"from_period": 2, "cents": 700}])
    loan = await desk.loan()
    [accruing] = (await desk.api.get("/v1/me/accruing", as_=P1, at=noon(LATE))).json()["items"]
    assert (accruing["amount_cents"], accruing["per_day_cents"]) == (850, None)
    [result] = await desk.take_back(loan["barcode"], on=LATE)
    assert result["charge"]["amount_cents"] == 850
    [span] = result["statement"]["spans"]
    assert "for each started week, $7.00 from period 2" in span["cause"]["reason"]


async def test_a_fine_stays_below_the_price_at_check_out(desk: Desk) -> None:
    await terms(desk, fine_cap_at_price=True)
    [barcode] = await desk.copies(1, price_cents=400)
    await desk.lend(barcode)
    [result] = await desk.take_back(barcode, on=LATE)
    assert result["charge"]["amount_cents"] == 400


@pytest.mark.parametrize("at_once", [True, False], ids=["one command", "commands at once"])
async def test_unpaid_fines_of_a_patron_keep_their_cap(desk: Desk, at_once: bool) -> None:
    await terms(desk, patron_fine_cap_cents=2_000)
    barcodes = await desk.copies(3)
    await desk.lend(*barcodes)
    if at_once:
        await desk.take_back(*barcodes, on=LATE)
    else:
        await asyncio.gather(*(desk.take_back(barcode, on=LATE) for barcode in barcodes))
    assert sorted(charge["amount_cents"] for charge in await charges(desk)) == [500, 1_500]


async def test_the_fine_of_a_loan_counts_what_its_patron_owes_already(desk: Desk) -> None:
    await terms(desk, patron_fine_cap_cents=2_000, block_over_cents=100_000)
    first, second = await desk.loan(), await desk.loan()
    await desk.take_back(first["barcode"], on=LATE)
    path = f"/v1/loans/{second['id']}/fine-statement?as_of={LATE}"
    assert (await desk.api.get(path, as_=P1, at=noon(LATE))).json()["amount_cents"] == 500
    renewed = await desk.api.post(f"/v1/loans/{second['id']}/renewals", as_=P1, at=noon(LATE))
    assert renewed.json()["charge"]["amount_cents"] == 500


@pytest.mark.parametrize(
    ("faulty", "field"),
    [
        ({"fine_tiers": [{"from_period": 1, "cents": 5}]}, "body.fine_tiers.0.from_period"),
        ({"fine_tiers": [{"from_period": n, "cents": 5} for n in (4, 2)]}, "body"),
        ({"charge_unit": "fortnight"}, "body.charge_unit"),
        ({"charge_every": 0}, "body.charge_every"),
    ],
)
async def test_terms_that_say_nothing_are_refused(
    desk: Desk, faulty: dict[str, Any], field: str
) -> None:
    answer = await terms(desk, **faulty)
    assert answer.status == 422
    assert [error["field"] for error in answer.json()["errors"]] == [field]
