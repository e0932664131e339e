"""Receipts by e-mail: of what a patron borrowed at a branch today, and of a payment."""

import asyncio
from typing import Any

import orjson

from tests.circulation.cashier import PAID_ON, fine
from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer, token

TODAY = "2020-11-20"


async def test_a_receipt_names_the_loans_of_today_at_this_branch(desk: Desk) -> None:
    await desk.loan(on="2020-11-19")
    first, second = [await desk.loan(on=TODAY) for _ in range(2)]
    undo = {"step": "check-out", "branch": "HKCL"}
    path = f"/v1/loans/{second['id']}/undo"
    assert (await desk.api.insist("POST", path, undo, as_=STAFF, at=noon(TODAY))).status == 200
    answers = {
        branch: await desk.api.insist(
            "POST", "/v1/loans/receipts/p1", {"branch": branch}, as_=STAFF, at=noon(TODAY)
        )
        for branch in ("HKCL", "LFU")
    }
    assert answers["HKCL"].json() == {"loans": 1}
    assert (answers["LFU"].status, answers["LFU"].json()["code"]) == (409, "nothing-borrowed")
    row = await desk.run().database.outbox.find_one({"topic": "receipt.requested"}) or {}
    event = orjson.loads(row["body"])
    assert [loan["loan_id"] for loan in event["loans"]] == [first["id"]]


async def ask(desk: Desk, payment_id: str, as_: str = STAFF, on: str = PAID_ON) -> Answer:
    path = f"/v1/payments/{payment_id}/receipt"
    return await desk.api.insist("POST", path, as_=as_, at=noon(on))


async def asked(desk: Desk) -> list[dict[str, Any]]:
    rows = desk.run().database.outbox.find({"topic": "payment.receipt-requested"})
    return [orjson.loads(row["body"]) async for row in rows]


async def test_the_receipt_of_a_payment_is_sent_once_a_day_to_whoever_paid(desk: Desk) -> None:
    charge = await fine(desk, 450)
    body = {"charge_ids": [charge["id"]], "amount_cents": 450}
    path = f"/v1/patrons/{charge['patron_id']}/payments"
    paid = (await desk.api.insist("POST", path, body, as_=STAFF, at=noon(PAID_ON))).json()

    another = await ask(desk, paid["id"], token("p9"))
    assert (another.status, another.json()["code"]) == (404, "no-such-payment")
    assert await asked(desk) == []

    answers = await asyncio.gather(
        *(
            ask(desk, paid["id"], who)
            for who in (STAFF, token(charge["patron_id"]))
            for _ in range(25)
        )
    )
    assert {answer.status for answer in answers} == {202}
    [event] = await asked(desk)
    assert (event["amount_cents"], event["in_cash"]) == (450, True)
    assert [(part["charge_id"], part["cents"]) for part in event["parts"]] == [(charge["id"], 450)]
    await ask(desk, paid["id"], on="2020-12-09")
    assert len(await asked(desk)) == 2

    cancelled = f"/v1/payments/{paid['id']}/cancellation"
    await desk.api.insist("POST", cancelled, {"reason": "Wrong"}, as_=STAFF, at=noon(PAID_ON))
    refused = await ask(desk, paid["id"], on="2020-12-10")
    assert (refused.status, refused.json()["code"]) == (409, "no-receipt")
    assert len(await asked(desk)) == 2
