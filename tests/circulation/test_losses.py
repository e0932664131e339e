"""Loans that are lost, found again, or claimed returned."""

import asyncio
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from services.circulation.loans.store import loans as loans_store
from tests.circulation.desk import OPS, STAFF, Desk, branch, closure, noon
from tests.support import Answer, token

P1 = token("p1")
DUE = date(2020, 12, 4)
"""Due date of a loan of 20 November for 14 days."""


def late(days: int) -> str:
    """Return the day this many days after the due date."""
    return (DUE + timedelta(days=days)).isoformat()


async def priced(desk: Desk, cents: int | None = 12_345) -> dict[str, Any]:
    """Lend a copy that has a price, on 20 November; return the loan."""
    loan = await desk.loan(on="2020-11-20")
    await desk.api.app.state.database.copies.update_one(
        {"_id": loan["copy_id"]}, {"$set": {"price_cents": cents}}
    )
    return loan


async def lose(desk: Desk, loan: dict[str, Any], on: str, as_: str = P1, **body: Any) -> Answer:
    path = f"/v1/loans/{loan['id']}/loss"
    return await desk.api.post(path, body or None, as_=as_, at=noon(on))


async def claim(desk: Desk, loan: dict[str, Any], on: str, as_: str = P1, **body: Any) -> Answer:
    path = f"/v1/loans/{loan['id']}/claim"
    return await desk.api.post(path, body or None, as_=as_, at=noon(on))


async def until_done(desk: Desk, path: str, body: dict[str, Any]) -> Answer:
    """Send a call by staff, two days after the due date."""
    return await desk.api.insist("POST", path, body, as_=STAFF, at=noon(late(2)))


async def fine(desk: Desk, loan: dict[str, Any], on: str) -> dict[str, Any]:
    path = f"/v1/loans/{loan['id']}/fine-statement?as_of={on}"
    found: dict[str, Any] = (await desk.api.get(path, as_=STAFF, at=noon(on))).json()
    return found


async def suspend(desk: Desk, first: str, resumes_on: str, on: str) -> None:
    """Suspend fines after the fact, and work the assessed ones out again."""
    body = {"starts_on": first, "resumes_on": resumes_on, "reason": "epidemic"}
    answer = await desk.api.post("/v1/fine-suspensions", body, as_=STAFF, at=noon(on))
    assert answer.status == 201, answer.json()
    await desk.api.job("circulation/rework-fines", at=noon(on))


async def job(desk: Desk, on: str) -> int:
    return await desk.api.job("circulation/lost", at=noon(on))


async def owed(desk: Desk) -> dict[str, int]:
    """Return the outstanding cents of p1 by kind of charge."""
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    borrower = await desk.api.app.state.database.borrowers.find_one({"_id": "p1"})
    found = {charge["kind"]: charge["outstanding_cents"] for charge in charges}
    assert borrower["outstanding_cents"] == sum(found.values())
    return found


async def open_loans(desk: Desk) -> int:
    borrower = await desk.api.app.state.database.borrowers.find_one({"_id": "p1"})
    return int(borrower["open_loans"])


async def pay_all(desk: Desk) -> None:
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    ids = [charge["id"] for charge in charges if charge["outstanding_cents"]]
    answer = await desk.api.post("/v1/payments", {"charge_ids": ids}, as_=P1, at=noon(late(20)))
    assert answer.status == 201, answer.json()


# ---- lost ---------------------------------------------------------------------------------------


async def test_a_loss_charges_the_fine_so_far_the_price_and_the_processing(desk: Desk) -> None:
    loan = await priced(desk)
    lost = await lose(desk, loan, late(10))
    assert lost.status == 200, lost.json()
    assert (lost.json()["loan"]["state"], lost.json()["loan"]["lost_on"]) == ("lost", late(10))
    assert await owed(desk) == {"fine": 1500, "lost": 12_345, "lost-processing": 2469}
    assert await open_loans(desk) == 0
    assert await desk.count("loan.lost") == 1
    assert await desk.count("fine.assessed") == 3
    again = await lose(desk, loan, late(11))
    assert (again.status, again.json()["code"]) == (409, "loan-lost")
    renewal = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(11)))
    assert renewal.json()["code"] == "loan-lost"
    assert (await fine(desk, loan, late(50)))["amount_cents"] == 1500


async def changes(desk: Desk, topic: str) -> list[dict[str, Any]]:
    """Return the payloads of a topic in the outbox, oldest first."""
    rows = desk.api.app.state.database.outbox.find({"topic": topic}).sort("$natural", 1)
    return [orjson.loads(row["body"]) async for row in rows]


async def test_the_patron_is_notified_of_each_change_of_the_account_by_one_event(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    await lose(desk, loan, late(10))
    await pay_all(desk)
    await desk.take_back(loan["barcode"], on=late(5))
    for topic, charged in (
        ("fine.assessed", {"fine": 1500, "lost-processing": 2469}),
        ("fine.paid", {"fine": 1500, "lost-processing": 2469}),
        ("fine.adjusted", {"fine": 750}),
    ):
        events = await changes(desk, topic)
        [first] = [event for event in events if event["notified_with"] is None]
        assert first["charge_kind"] == "lost", topic
        assert {one["charge_kind"]: one["cents"] for one in first["others"]} == charged
        assert {one["title_id"] for one in first["others"]} == {loan["title_id"]}
        for event in events:
            if event is not first:
                assert event["notified_with"] == first["charge_id"]
                assert event["others"] == []
    [lost] = await changes(desk, "loan.lost")
    assert lost["charged"]


async def test_a_loss_without_a_known_price_needs_a_price_from_staff(desk: Desk) -> None:
    loan = await priced(desk, None)
    for price in (None, 1):  # a patron can't set a price
        refused = await lose(desk, loan, late(0), price_cents=price)
        assert (refused.status, refused.json()["code"]) == (409, "price-unknown")
    assert (await lose(desk, loan, late(0), STAFF, price_cents=5000)).status == 200
    assert await owed(desk) == {"lost": 5000, "lost-processing": 1000}


async def test_a_patron_can_report_only_their_own_loans_as_lost(desk: Desk) -> None:
    await desk.patron("p2")
    loan = await priced(desk)
    for call in (lose, claim):
        assert (await call(desk, loan, late(0), token("p2"))).json()["code"] == "no-such-loan"
    assert (await desk.api.delete(f"/v1/loans/{loan['id']}/claim", as_=P1)).status == 403


@pytest.mark.parametrize("paid", [False, True], ids=["unpaid", "paid"])
async def test_returning_a_lost_copy_credits_its_price_but_not_the_processing(
    desk: Desk, paid: bool
) -> None:
    loan = await priced(desk)
    await lose(desk, loan, late(10))
    if paid:
        await pay_all(desk)
    [result] = await desk.take_back(loan["barcode"], on=late(60))
    assert result["ok"], result
    assert result["charge"] is None, "the fine up to the loss is not raised"
    assert result["statement"]["amount_cents"] == 1500
    assert (result["loan"]["state"], result["loan"]["returned_on"]) == ("returned", late(60))
    charges = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    due_back = {charge["kind"]: charge["refund_due_cents"] for charge in charges}
    assert due_back == {"fine": 0, "lost": 12_345 if paid else 0, "lost-processing": 0}
    left = {"fine": 1500, "lost": 0, "lost-processing": 2469}
    assert await owed(desk) == (dict.fromkeys(left, 0) if paid else left)
    assert await open_loans(desk) == 0
    assert await desk.count("fine.adjusted") == 1
    [lent] = await desk.lend(loan["barcode"], to="p1", on=late(61))
    assert lent["ok"] is paid


async def test_a_lost_copy_returned_before_its_loss_ends_the_fine_on_that_day(desk: Desk) -> None:
    loan = await priced(desk)
    await lose(desk, loan, late(10))
    [result] = await desk.take_back(loan["barcode"], on=late(20), at=late(4))
    assert result["statement"]["amount_cents"] == 600
    assert await owed(desk) == {"fine": 600, "lost": 0, "lost-processing": 2469}


async def test_a_lost_copy_that_was_withdrawn_can_be_returned(desk: Desk) -> None:
    loan = await priced(desk)
    await lose(desk, loan, late(10))
    path = f"/v1/copies/{loan['barcode']}"
    gone = await desk.api.post(f"{path}/removal", {"fault": "withdrawn"}, as_=STAFF)
    assert gone.json()["copy"]["state"] == "withdrawn"
    recovered = await desk.api.post(f"{path}/recovery", {"branch": "HKCL"}, as_=STAFF)
    assert recovered.json()["code"] == "lost-by-patron"
    [result] = await desk.take_back(loan["barcode"], on=late(20))
    assert (result["ok"], result["copy"]["state"]) == (True, "available"), result
    assert await owed(desk) == {"fine": 1500, "lost": 0, "lost-processing": 2469}
    await desk.api.post(f"{path}/removal", {"fault": "withdrawn"}, as_=STAFF)
    [again] = await desk.take_back(loan["barcode"], on=late(21))
    assert again["problem"]["code"] == "not-on-loan"


async def test_a_suspension_lowers_the_fine_of_a_lost_copy_as_of_the_day_it_came_back(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    await lose(desk, loan, late(10))
    await desk.take_back(loan["barcode"], on=late(20), at=late(4))
    await suspend(desk, late(1), late(2), on=late(21))
    assert (await owed(desk))["fine"] == 450
    assert (await fine(desk, loan, late(21)))["amount_cents"] == 450


async def test_a_fine_of_a_renewal_stands_if_the_copy_is_lost_that_day_and_found(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    renewed = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(10)))
    assert renewed.json()["charge"]["amount_cents"] == 1500
    assert (await lose(desk, loan, late(10))).json()["statement"]["amount_cents"] == 0
    await desk.take_back(loan["barcode"], on=late(12))
    assert await owed(desk) == {"fine": 1500, "lost": 0, "lost-processing": 2469}


async def test_a_lowered_fine_of_a_renewal_is_not_shown_as_the_fine_of_the_return(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(10)))
    await desk.take_back(loan["barcode"], on=late(10))
    await suspend(desk, late(1), late(3), on=late(11))
    assert await owed(desk) == {"fine": 1200}
    assert (await fine(desk, loan, late(11)))["amount_cents"] == 0


@pytest.mark.parametrize(
    ("returned_on", "owing"), [(late(4), 600), (late(-1), 0), (late(11), 1500)]
)
async def test_the_fine_of_a_renewal_counts_until_the_copy_was_back(
    desk: Desk, returned_on: str, owing: int
) -> None:
    loan = await priced(desk)
    await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(10)))
    [result] = await desk.take_back(loan["barcode"], on=late(12), at=returned_on)
    assert result["charge"] is None
    assert await owed(desk) == {"fine": owing}


async def test_a_paid_fine_of_a_renewal_after_the_claimed_day_is_refunded(desk: Desk) -> None:
    loan = await priced(desk)
    await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(10)))
    await pay_all(desk)
    await claim(desk, loan, late(21), STAFF, at=late(3))
    await desk.take_back(loan["barcode"], on=late(30))
    [charge] = (await desk.api.get("/v1/me/charges", as_=P1)).json()["items"]
    assert (charge["amount_cents"], charge["refund_due_cents"]) == (450, 1050)
    assert charge["statement"]["amount_cents"] == 450
    assert await desk.count("fine.adjusted") == 1


# ---- lost by the rule ---------------------------------------------------------------------------


async def test_a_loan_is_lost_after_the_days_of_its_policy_and_once(desk: Desk) -> None:
    loan = await priced(desk)
    assert await job(desk, late(89)) == 0
    done = await asyncio.gather(*(job(desk, late(90)) for _ in range(4)))
    assert sum(done) == 1
    assert await job(desk, late(91)) == 0
    assert (await desk.stored(loan))["state"] == "lost"
    assert await owed(desk) == {"fine": 13_000, "lost": 12_345, "lost-processing": 2469}
    assert await desk.count("loan.lost") == 1


async def test_days_on_which_a_copy_could_not_be_returned_do_not_count_toward_a_loss(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    await desk.hear(branch(version=2, closures=(closure("c1", late(31), (2, late(41))),)))
    await desk.api.post(
        "/v1/fine-suspensions",
        {"starts_on": late(61), "resumes_on": late(81), "reason": "epidemic"},
        as_=STAFF,
        at=noon(late(0)),
    )
    assert await job(desk, late(119)) == 0
    assert await job(desk, late(120)) == 1
    assert (await desk.stored(loan))["lost_on"] == late(120)


async def test_no_loan_becomes_lost_during_a_closure_without_an_end(desk: Desk) -> None:
    loan = await priced(desk)
    await desk.hear(branch(version=2, closures=(closure("c1", late(89), (2, None)),)))
    assert await job(desk, late(500)) == 0
    assert (await desk.stored(loan))["state"] == "open"


async def test_the_job_reads_no_loans_that_are_not_overdue_long_enough(desk: Desk) -> None:
    loan = await priced(desk)
    database = desk.api.app.state.database
    stored = await database.loans.find_one({"_id": loan["id"]})
    await database.loans.insert_many(
        [
            {**stored, "_id": f"l{n}", "copy_id": f"k{n}", "due_on": late(89 - n % 80)}
            | {"policy": {**stored["policy"], "lost_after_days": 90 if n % 2 else 200}}
            for n in range(200)
        ]
    )
    query = loans_store.long_overdue_after(90, DUE + timedelta(days=90))
    plan = {"find": "loans", "filter": query, "hint": loans_store.TO_LOSE}
    explained = await database.command("explain", plan, verbosity="executionStats")
    assert explained["executionStats"]["totalDocsExamined"] == 1
    assert [one async for one in loans_store.to_lose(database, DUE + timedelta(days=90))] == [
        loan["id"]
    ]


async def test_the_job_leaves_a_copy_without_a_price_to_staff(desk: Desk) -> None:
    loan = await priced(desk, None)
    assert await job(desk, late(100)) == 0
    assert (await desk.stored(loan))["state"] == "open"


async def test_a_concurrent_loss_and_return_are_serialized(desk: Desk) -> None:
    for number in range(8):
        patron = f"q{number}"
        await desk.patron(patron)
        loan = await desk.loan(on="2020-11-20", to=patron)
        back = {"barcodes": [loan["barcode"]], "branch": "HKCL", "channel": "desk"}
        declared, returned = await asyncio.gather(
            until_done(desk, f"/v1/loans/{loan['id']}/loss", {"price_cents": 1000}),
            until_done(desk, "/v1/returns", back),
        )
        assert returned.json()["results"][0]["ok"]
        path = f"/v1/patrons/{patron}/charges"
        charges = (await desk.api.get(path, as_=STAFF)).json()["items"]
        left = {charge["kind"]: charge["outstanding_cents"] for charge in charges}
        if declared.status == 200:  # lost, then found
            assert left == {"fine": 300, "lost": 0, "lost-processing": 200}
        else:
            assert declared.json()["code"] == "loan-not-open"
            assert left == {"fine": 300}
        borrower = await desk.api.app.state.database.borrowers.find_one({"_id": patron})
        found = (borrower["open_loans"], borrower["outstanding_cents"])
        assert found == (0, sum(left.values()))


# ---- claimed returned ---------------------------------------------------------------------------


async def test_a_loan_claimed_returned_is_not_reminded_until_the_claim_is_withdrawn(
    desk: Desk,
) -> None:
    loan = await desk.loan(on="2020-11-20")
    path = "/v1/ops/jobs/circulation/due-soon"
    assert (await claim(desk, loan, late(-2))).status == 200
    assert (await desk.api.post(path, as_=OPS, at=noon(late(-2)))).json()["done"] == 0
    await desk.api.delete(f"/v1/loans/{loan['id']}/claim", as_=STAFF, at=noon(late(-1)))
    assert (await desk.api.post(path, as_=OPS, at=noon(late(-1)))).json()["done"] == 1


async def test_a_claim_that_a_loan_was_returned_stops_its_fine(desk: Desk) -> None:
    loan = await priced(desk)
    claimed = await claim(desk, loan, late(3))
    assert claimed.json()["claimed_returned_on"] == late(3)
    assert (await claim(desk, loan, late(4))).json() == claimed.json(), "said again, it is the same"
    assert (await fine(desk, loan, late(30)))["amount_cents"] == 450
    renewal = await desk.api.post(f"/v1/loans/{loan['id']}/renewals", as_=P1, at=noon(late(4)))
    assert renewal.json()["code"] == "loan-claimed"
    assert await job(desk, late(200)) == 0
    overdue = await desk.api.post("/v1/ops/jobs/circulation/overdue", as_=OPS, at=noon(late(40)))
    assert overdue.json()["done"] == 1, "the notice of the day after, and none of later days"
    told = await desk.api.app.state.database.outbox.find_one({"topic": "loan.overdue"})
    assert b'"notice":1' in told["body"]
    assert await desk.count("loan.claimed") == 1


async def test_a_claimed_copy_found_on_the_shelf_counts_as_returned_on_the_day_of_the_claim(
    desk: Desk,
) -> None:
    loan = await priced(desk)
    await claim(desk, loan, late(30), STAFF, at=late(2))
    [result] = await desk.take_back(loan["barcode"], on=late(40))
    assert result["loan"]["returned_on"] == late(2)
    assert result["charge"]["amount_cents"] == 300


async def test_the_fine_continues_if_a_claimed_copy_is_not_found(desk: Desk) -> None:
    loan = await priced(desk)
    path = f"/v1/loans/{loan['id']}/claim"
    assert (await desk.api.delete(path, as_=STAFF)).json()["code"] == "no-claim"
    await claim(desk, loan, late(3))
    rejected = await desk.api.delete(path, as_=STAFF)
    assert rejected.json()["claimed_returned_on"] is None
    assert (await fine(desk, loan, late(30)))["amount_cents"] == 4500
    assert await job(desk, late(90)) == 1


async def test_a_claimed_copy_that_is_declared_lost_has_the_fine_of_all_days(desk: Desk) -> None:
    loan = await priced(desk)
    await claim(desk, loan, late(5))
    lost = await lose(desk, loan, late(20), STAFF)
    assert lost.json()["statement"]["amount_cents"] == 3000
    assert (await owed(desk))["fine"] == 3000
    await suspend(desk, late(1), late(6), on=late(21))
    assert (await owed(desk))["fine"] == 2250


async def test_a_claim_for_a_day_before_the_loan_or_after_today_is_refused(desk: Desk) -> None:
    loan = await priced(desk)
    for at, code in ((late(4), "in-the-future"), ("2020-11-19", "returned-before-borrowed")):
        refused = await claim(desk, loan, late(3), STAFF, at=at)
        assert (refused.status, refused.json()["code"]) == (409, code)
