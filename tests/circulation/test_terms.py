"""Terms that few rows set, from the policy row to what is charged."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from services.circulation.borrowers.consumers import keep_reader
from services.circulation.closures.jobs import rework_fines
from services.circulation.loans.jobs import due_soon, renew_due
from tests import samples
from tests.circulation.compared_library import published
from tests.circulation.desk import STAFF, Desk, branch, card_of, closure, noon
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


async def test_a_loan_by_hours_is_due_at_a_time_and_fined_by_the_hour(desk: Desk) -> None:
    await terms(desk, loan_hours=3, charge_unit="hour", fine_per_day_cents=100)
    [barcode] = await desk.copies(1)
    body = {"card_number": card_of("p1"), "barcodes": [barcode], "branch": "HKCL"}
    lent = await desk.api.post("/v1/checkouts", body, as_=STAFF, at="2020-11-20T14:10:00+08:00")
    loan = lent.json()["results"][0]["loan"]
    assert (loan["due_on"], loan["due_at"]) == ("2020-11-20", "2020-11-20T09:10:00Z")
    path = f"/v1/loans/{loan['id']}/fine-statement"
    for moment, overdue, cents in (("17:10", False, 0), ("17:11", True, 100), ("18:11", True, 200)):
        answer = await desk.api.get(path, as_=P1, at=f"2020-11-20T{moment}:00+08:00")
        found = answer.json()
        assert (found["overdue"], found["amount_cents"]) == (overdue, cents)
    renewed = await desk.api.post(
        f"/v1/loans/{loan['id']}/renewals", as_=P1, at="2020-11-20T17:00:00+08:00"
    )
    assert renewed.json()["loan"]["due_at"] == "2020-11-20T12:00:00Z"
    back = {"barcodes": [barcode], "branch": "HKCL", "channel": "desk"}
    answer = await desk.api.post("/v1/returns", back, as_=STAFF, at="2020-11-20T20:30:00+08:00")
    [result] = answer.json()["results"]
    assert result["charge"]["amount_cents"] == 100


async def test_a_closure_moves_a_loan_by_hours_to_the_same_time_and_lowers_its_fine(
    desk: Desk,
) -> None:
    await terms(desk, loan_hours=24, charge_unit="hour", fine_per_day_cents=100)
    open_one, returned = await desk.loan(), await desk.loan()
    assert open_one["due_at"] == "2020-11-21T04:00:00Z"
    await desk.take_back(returned["barcode"], on="2020-11-22")
    assert [charge["amount_cents"] for charge in await charges(desk)] == [2_400]
    closed = closure("c1", "2020-11-21", (2, "2020-11-22"))
    await desk.hear(branch(version=2, closures=(closed,)))
    await rework_fines(desk.run())
    moved = await desk.stored(open_one)
    assert (moved["due_on"], moved["due_at"]) == ("2020-11-22", "2020-11-22T04:00:00Z")
    assert [charge["amount_cents"] for charge in await charges(desk)] == [0]


async def test_terms_of_dates_reach_a_loan_and_its_renewal(desk: Desk) -> None:
    await terms(desk, fixed_due_dates=["2020-12-18", "2021-01-29"], renewal_from_due_date=True)
    loan = await desk.loan()
    assert (loan["due_on"], loan["due_at"]) == ("2020-12-18", None)
    renewed = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon("2020-12-01"))
    assert renewed.json()["loan"]["due_on"] == "2021-01-29"
    unordered = await terms(desk, latest_due_dates=["2021-01-29", "2020-12-18"])
    assert unordered.status == 422


# ---- automatic renewal --------------------------------------------------------------------------

DUE = date(2020, 12, 4)


async def renewed_on(desk: Desk, on: date = DUE) -> int:
    """Run the job twice at once, as two replicas do; return the number of renewed loans."""
    return sum(await asyncio.gather(renew_due(desk.run(on)), renew_due(desk.run(on))))


async def test_a_loan_is_renewed_once_on_its_due_date(desk: Desk) -> None:
    await terms(desk, renews_automatically=True, renewals_allowed=1)
    loan, other = await desk.loan(), await desk.loan(on="2020-11-21")
    assert await renewed_on(desk, DUE - timedelta(days=1)) == 0
    assert await due_soon(desk.run(DUE - timedelta(days=1))) == 2
    assert await renewed_on(desk) == 1
    assert await renewed_on(desk) == 0
    stored = await desk.stored(loan)
    assert (stored["due_on"], stored["renewals"]) == ("2020-12-18", 1)
    assert (await desk.stored(other))["renewals"] == 0
    database = desk.api.app.state.database
    soon = await published(database, "loan.due-soon", "loan_id")
    assert [event["renews"] for event in soon.values()] == [True, True]
    renewed = (await published(database, "loan.renewed", "loan_id"))[loan["id"]]
    assert (renewed["automatic"], renewed["due_on"]) == (True, "2020-12-18")
    assert await renewed_on(desk, date(2020, 12, 18)) == 0  # the limit is reached


async def test_no_loan_is_renewed_that_its_patron_could_not_renew(desk: Desk) -> None:
    await terms(desk, renews_automatically=True)
    held = await desk.loan()
    await desk.patron("p2")
    hold = {"title_id": held["title_id"], "pickup_branch": "HKCL"}
    placed = await desk.api.post("/v1/holds", hold, as_=token("p2"), at=noon("2020-11-25"))
    assert placed.status == 201
    assert await renewed_on(desk) == 0
    cancelled = await desk.api.delete(
        f"/v1/holds/{placed.json()['id']}", as_=token("p2"), at=noon("2020-12-04")
    )
    assert cancelled.status == 200
    assert await renewed_on(desk) == 1


@pytest.mark.parametrize("wanted", [True, False])
async def test_a_patron_can_switch_automatic_renewal_off(desk: Desk, wanted: bool) -> None:
    await terms(desk, renews_automatically=True)
    await desk.loan()
    chosen = samples.preferences(1, patron_id="p1", automatic_renewal=wanted)
    await keep_reader(chosen, desk.run())
    assert await renewed_on(desk) == int(wanted)


async def test_loans_of_other_rows_and_overdue_loans_are_left_alone(desk: Desk) -> None:
    plain = await desk.loan()
    await terms(desk, renews_automatically=True)
    late = await desk.loan(on="2020-11-19")
    assert await renewed_on(desk) == 0
    for loan in (plain, late):
        assert (await desk.stored(loan))["renewals"] == 0


# ---- limits -------------------------------------------------------------------------------------


async def reserve(desk: Desk, title_id: str, on: str = "2020-11-25", **more: Any) -> Answer:
    body = {"title_id": title_id, "pickup_branch": "HKCL", **more}
    return await desk.api.insist("POST", "/v1/holds", body, as_=P1, at=noon(on))


def codes(results: list[dict[str, Any]]) -> list[str | None]:
    return [result["problem"] and result["problem"]["code"] for result in results]


async def test_loans_of_a_category_are_limited_also_by_commands_at_once(desk: Desk) -> None:
    await terms(desk, max_loans_of_category=2)
    discs, books = await desk.copies(4, category="disc"), await desk.copies(1)
    results = await asyncio.gather(*(desk.lend(barcode) for barcode in (*discs, *books)))
    assert sorted(str(code) for [code] in map(codes, results)) == ["None"] * 3 + ["loan-limit"] * 2
    [refused] = [r for [r] in results if r["problem"]][:1]
    assert "2 (disc)" in refused["problem"]["detail"]
    back = next(r for [r] in results if r["ok"] and r["loan"]["category"] == "disc")
    await desk.take_back(back["barcode"], on="2020-11-21")
    assert codes(await desk.lend(refused["barcode"], on="2020-11-21")) == [None]


async def test_loans_from_a_branch_are_limited(desk: Desk) -> None:
    await terms(desk, max_loans_at_branch=1)
    one, two, three = await desk.copies(3)
    assert codes(await desk.lend(one, two)) == [None, "loan-limit"]
    assert codes(await desk.lend(three, branch="LFU")) == [None]


async def test_items_for_use_in_the_library_are_neither_lent_nor_reserved(desk: Desk) -> None:
    row = {"reason": "The map room", "copy_category": "map", "lendable": False}
    await desk.api.insist("PUT", "/v1/policies/maps", row, as_=STAFF, at=noon("2020-11-01"))
    [barcode] = await desk.copies(1, category="map")
    [result] = await desk.lend(barcode)
    assert codes([result]) == ["on-site-only"]
    refused = await reserve(desk, result["copy"]["title_id"])
    assert (refused.status, refused.json()["code"]) == (409, "on-site-only")


async def test_holds_are_limited_by_day_and_only_while_all_copies_are_out(desk: Desk) -> None:
    await terms(desk, max_holds_per_day=1, hold_only_if_out=True, hold_waits_days=30)
    await desk.patron("p2")
    loans = [await desk.loan(to="p2") for _ in range(3)]
    titles = [loan["title_id"] for loan in loans]
    first = await reserve(desk, titles[0])
    assert (first.status, first.json()["expires_on"]) == (201, "2020-12-25")
    second = await reserve(desk, titles[1])
    assert (second.status, second.json()["code"]) == (409, "hold-limit")
    await desk.take_back(loans[2]["barcode"], on="2020-11-26")
    available = await reserve(desk, titles[2], on="2020-11-27")
    assert (available.status, available.json()["code"]) == (409, "available-now")
    next_day = await reserve(desk, titles[1], on="2020-11-27")
    assert next_day.status == 201


async def test_a_hold_is_collected_where_a_copy_belongs(desk: Desk) -> None:
    await terms(desk, pickup_at_owner=True)
    await desk.patron("p2")
    loan = await desk.loan(to="p2")
    elsewhere = await reserve(desk, loan["title_id"], pickup_branch="LFU")
    assert (elsewhere.status, elsewhere.json()["code"]) == (409, "pickup-at-owner")
    assert "HKCL" in elsewhere.json()["detail"]
    placed = await reserve(desk, loan["title_id"])
    assert placed.status == 201
    moved = await desk.api.patch(
        f"/v1/holds/{placed.json()['id']}", {"pickup_branch": "LFU"}, as_=P1, at=noon("2020-11-25")
    )
    assert (moved.status, moved.json()["code"]) == (409, "pickup-at-owner")
