"""Tills: cash by desk, counted at closing, and payments in cash that were a mistake."""

import asyncio
import random
from typing import Any

import pytest

from ops.audit.circulation import check_ledger, check_payments, check_tills
from ops.audit.findings import Audit
from tests.circulation.cashier import PAID_ON, fine, fines, lowered, now, owed
from tests.circulation.desk import STAFF, Desk, noon
from tests.circulation.test_cash import give_back
from tests.circulation.test_overrides import events
from tests.support import Answer, token

SUPERVISOR = token("s2", roles=["staff", "supervisor"])


async def post(desk: Desk, path: str, body: Any, *, as_: str = STAFF, **more: Any) -> Answer:
    more = {"at": noon(PAID_ON), **more}
    return await desk.api.insist("POST", path, body, as_=as_, **more)


async def opened(desk: Desk, cents: int = 5_000, name: str = "") -> dict[str, Any]:
    body = {"branch": "HKCL", "name": name, "float_cents": cents}
    answer = await post(desk, "/v1/tills", body)
    assert answer.status == 201, answer.body
    return dict(answer.json())


async def till_now(desk: Desk, till_id: str) -> dict[str, Any]:
    return dict((await desk.api.insist("GET", f"/v1/tills/{till_id}", as_=STAFF)).json())


async def take(desk: Desk, charge: dict[str, Any], cents: int, till: str = "") -> Answer:
    body = {"charge_ids": [charge["id"]], "amount_cents": cents, "branch": "HKCL", "till": till}
    return await post(desk, f"/v1/patrons/{charge['patron_id']}/payments", body)


async def close(
    desk: Desk, till: dict[str, Any], counted: int, reason: str = "", shown: int | None = None
) -> Answer:
    body: dict[str, Any] = {"counted_cents": counted, "reason": reason}
    body["shown_cents"] = till["expected_cents"] if shown is None else shown
    return await post(desk, f"/v1/tills/{till['id']}/closing", body)


async def cancel(desk: Desk, payment_id: str, *, as_: str = STAFF, **more: Any) -> Answer:
    body = {"reason": "The wrong reader"}
    return await post(desk, f"/v1/payments/{payment_id}/cancellation", body, as_=as_, **more)


async def findings(desk: Desk) -> list[str]:
    result, database = Audit(), desk.api.app.state.database
    for check in (check_ledger, check_payments, check_tills):
        await check(result, database)
    return result.findings


async def test_a_till_expects_its_float_and_the_cash_of_its_desk(desk: Desk) -> None:
    one, two = await fines(desk, 450, 300)
    till = await opened(desk)
    assert (await post(desk, "/v1/tills", {"branch": "HKCL", "float_cents": 1})).json()[
        "code"
    ] == "till-open"
    other = await opened(desk, 0, "Second")
    await take(desk, one, 450)
    await take(desk, two, 100, "Second")
    await take(desk, two, 200, "Not open")
    seen = await till_now(desk, till["id"])
    assert (seen["expected_cents"], seen["taken"]) == (5_450, {"fine": 450})
    assert [(line["of"], line["amount_cents"]) for line in seen["lines"]] == [("payment", 450)]
    assert (await till_now(desk, other["id"]))["expected_cents"] == 100

    unexplained = await close(desk, seen, 5_400)
    assert (unexplained.status, unexplained.json()["code"]) == (409, "difference-unexplained")
    moved = await close(desk, seen, 5_400, "Wrong change", shown=5_000)
    assert moved.json()["code"] == "amount-changed"
    closed = (await close(desk, seen, 5_400, "Wrong change")).json()
    assert (closed["state"], closed["difference_cents"]) == ("closed", -50)
    assert (await close(desk, seen, 5_450)).json()["code"] == "till-closed-already"
    listed = (await desk.api.get(f"/v1/tills?branch=HKCL&day={PAID_ON}", as_=STAFF)).json()["items"]
    assert sorted(one["state"] for one in listed) == ["closed", "open", "outside"]
    [outside] = [one for one in listed if one["state"] == "outside"]
    assert outside["taken"] == {"fine": 200}
    assert await findings(desk) == []


async def test_a_cancelled_payment_leaves_the_till_and_is_to_be_paid_again(desk: Desk) -> None:
    charge = await fine(desk, 450)
    till = await opened(desk, 0)
    payment = (await take(desk, charge, 300)).json()
    cancelled = await cancel(desk, payment["id"], key="once")
    assert cancelled.json()["state"] == "cancelled"
    assert (await cancel(desk, payment["id"], key="once")).json() == cancelled.json()
    assert (await cancel(desk, payment["id"])).json()["code"] == "payment-cancelled"
    after = await now(desk, charge)
    assert (after["outstanding_cents"], after["paid_cents"]) == (450, 0)
    assert [entry["kind"] for entry in after["entries"]] == ["charge", "payment", "cancellation"]
    assert after["entries"][-1]["reason"] == "The wrong reader"
    assert await owed(desk) == 450
    assert (await give_back(desk, charge)).json()["code"] == "no-refund-due"
    [event] = await events(desk, "fine.adjusted")
    assert (event["cancelled_cents"], event["cause"]) == (300, payment["id"])
    assert (event["outstanding_cents"], event["lowered_cents"]) == (450, 0)
    assert event["standing"]["blocked"]
    seen = await till_now(desk, till["id"])
    assert (seen["expected_cents"], seen["lines"][0]["of"]) == (0, "cancelled")
    assert await findings(desk) == []


async def test_a_cancelled_payment_ends_the_refund_due_because_of_it(desk: Desk) -> None:
    charge = await fine(desk, 450)
    payment = (await take(desk, charge, 450)).json()
    await lowered(desk, charge, 150)
    assert (await now(desk, charge))["refund_due_cents"] == 300
    assert (await cancel(desk, payment["id"])).status == 200
    after = await now(desk, charge)
    assert (after["amount_cents"], after["outstanding_cents"]) == (150, 150)
    assert (after["paid_cents"], after["refund_due_cents"]) == (0, 0)
    assert await findings(desk) == []


async def test_a_payment_that_was_given_back_is_not_cancelled(desk: Desk) -> None:
    charge = await fine(desk, 450)
    payment = (await take(desk, charge, 450)).json()
    await lowered(desk, charge, 0)
    assert (await give_back(desk, charge)).status == 201
    assert (await cancel(desk, payment["id"])).json()["code"] == "payment-refunded"
    assert await findings(desk) == []


async def test_only_a_supervisor_cancels_a_payment_of_a_closed_till(desk: Desk) -> None:
    charge = await fine(desk, 450)
    till = await opened(desk, 0)
    payment = (await take(desk, charge, 450)).json()
    closed = (await close(desk, await till_now(desk, till["id"]), 450)).json()
    assert (await cancel(desk, payment["id"])).json()["code"] == "till-closed"
    assert (await cancel(desk, payment["id"], as_=SUPERVISOR)).status == 200
    assert (await till_now(desk, till["id"]))["expected_cents"] == closed["expected_cents"] == 450
    assert (await now(desk, charge))["outstanding_cents"] == 450
    assert await findings(desk) == []


async def test_concurrent_commands_have_one_result_and_lose_no_cash(desk: Desk) -> None:
    charge, wrong = await fines(desk, 450, 300)
    body = {"branch": "HKCL", "float_cents": 0}
    tries = await asyncio.gather(*(post(desk, "/v1/tills", body) for _ in range(5)))
    assert sorted(one.status for one in tries) == [201, 409, 409, 409, 409]
    [till] = [one.json() for one in tries if one.status == 201]
    mistake = (await take(desk, wrong, 300)).json()
    till = await till_now(desk, till["id"])
    results = await asyncio.gather(
        *(close(desk, till, 300) for _ in range(4)),
        *(cancel(desk, mistake["id"]) for _ in range(3)),
        take(desk, charge, 150),
    )
    assert sum(one.status == 200 for one in results[:4]) <= 1
    assert sum(one.status == 200 for one in results[4:7]) <= 1
    assert results[7].status == 201
    assert await findings(desk) == []


@pytest.mark.parametrize("seed", range(3))
async def test_after_a_random_day_each_till_expects_what_the_ledger_has(
    desk: Desk, seed: int
) -> None:
    chance = random.Random(seed)  # noqa: S311
    charges = await fines(desk, *(150 * chance.randint(1, 6) for _ in range(5)))
    payments: list[str] = []
    for _ in range(40):
        act = chance.choice(["take", "take", "take", "cancel", "open", "close", "lower", "refund"])
        charge, name = chance.choice(charges), chance.choice(["", "Second"])
        if act == "take":
            answer = await take(desk, charge, 50 * chance.randint(1, 4), name)
            payments += [answer.json()["id"]] if answer.status == 201 else []
        elif act == "cancel" and payments:
            as_ = chance.choice([STAFF, SUPERVISOR])
            await cancel(desk, chance.choice(payments), as_=as_)
        elif act == "open":
            await post(desk, "/v1/tills", {"branch": "HKCL", "name": name, "float_cents": 1_000})
        elif act == "close":
            listed = await desk.api.get("/v1/tills?branch=HKCL", as_=STAFF)
            for till in listed.json()["items"][:1]:
                await close(desk, till, till["expected_cents"])
        elif act == "lower":
            present = (await now(desk, charge))["amount_cents"]
            if present > 50:
                await lowered(desk, charge, present - 50)
        else:
            body = {"amount_cents": 50, "branch": "HKCL", "till": name}
            await post(desk, f"/v1/charges/{charge['id']}/refund", body)
    assert await findings(desk) == []
