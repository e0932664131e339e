"""Payments and refunds in cash, which need no payment provider."""

import asyncio
from typing import Any

import pytest

from ops.audit.circulation import check_ledger, check_payments
from ops.audit.findings import Audit
from tests.circulation import cashier
from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer


@pytest.fixture
def without_provider(desk: Desk) -> None:
    state = desk.api.app.state
    state.settings = state.settings.model_copy(update={"payment_provider": "none"})


async def take(
    desk: Desk,
    *charges: dict[str, Any],
    patron: str = "p1",
    cents: int | None = None,
    shown: int | None = None,
    **more: Any,
) -> Answer:
    """Record that a patron has paid these charges in cash, by default as they were at first."""
    if cents is None:
        cents = sum(charge["amount_cents"] for charge in charges)
    body: dict[str, Any] = {"charge_ids": [charge["id"] for charge in charges]}
    body |= {"amount_cents": cents}
    body |= {"shown_cents": shown} if shown else {}
    more = {"as_": STAFF, "at": noon(cashier.PAID_ON), **more}
    return await desk.api.insist("POST", f"/v1/patrons/{patron}/payments", body, **more)


async def findings(desk: Desk) -> list[str]:
    result, database = Audit(), desk.api.app.state.database
    await check_ledger(result, database)
    await check_payments(result, database)
    return result.findings


async def give_back(desk: Desk, charge: dict[str, Any], cents: int | None = None) -> Answer:
    path = f"/v1/charges/{charge['id']}/refund"
    body = {"amount_cents": cents} if cents else None
    return await desk.api.insist("POST", path, body, as_=STAFF, at=noon(cashier.PAID_ON))


@pytest.mark.usefixtures("without_provider")
async def test_cash_pays_each_charge_in_full_and_the_patron_borrows_at_once(desk: Desk) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    taken = await take(desk, one, two, key="till-1")
    payment = taken.json()
    assert (taken.status, payment["state"], payment["in_cash"]) == (201, "paid", True)
    assert (payment["patron_id"], payment["amount_cents"]) == ("p1", 750)
    assert (await take(desk, one, two, key="till-1")).json() == payment
    read = (await desk.api.get(f"/v1/payments/{payment['id']}", as_=cashier.P1)).json()
    assert {name: read[name] for name in payment} | {"parts": payment["parts"]} == payment
    assert [part["kind"] for part in read["parts"]] == ["fine", "fine"]
    listed = await desk.api.get("/v1/patrons/p1/payments", as_=STAFF)
    assert listed.json()["items"] == [read]
    for charge in (one, two):
        paid = await cashier.now(desk, charge)
        assert (paid["outstanding_cents"], paid["paid_cents"]) == (0, charge["amount_cents"])
        entry = paid["entries"][-1]
        assert (entry["kind"], entry["reference"]) == ("payment", payment["id"])
        assert (entry["by"], entry["on"]) == ("s1", cashier.PAID_ON)
    assert await cashier.owed(desk) == 0
    assert await desk.count("fine.paid") == 2
    [copy] = await desk.copies(1)
    [lent] = await desk.lend(copy, on=cashier.PAID_ON)
    assert lent["ok"]


@pytest.mark.usefixtures("without_provider")
async def test_staff_can_list_only_the_charges_with_money_to_pay(desk: Desk) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    assert (await take(desk, one)).status == 201
    path = "/v1/patrons/p1/charges"
    everything = (await desk.api.get(path, as_=STAFF)).json()["items"]
    to_pay = (await desk.api.get(f"{path}?open_only=true", as_=STAFF)).json()["items"]
    assert [charge["id"] for charge in everything] == [one["id"], two["id"]]
    assert [charge["id"] for charge in to_pay] == [two["id"]]


async def test_cash_is_refused_for_what_is_not_to_be_paid(desk: Desk) -> None:
    await desk.patron("p2")
    theirs, mine = await cashier.fine(desk, to="p2"), await cashier.fine(desk)
    other = await take(desk, theirs, mine)
    assert (other.status, other.json()["code"]) == (404, "no-such-charge")
    assert (await take(desk, theirs, patron="p2")).status == 201
    again = await take(desk, theirs, patron="p2")
    assert (again.status, again.json()["code"]) == (409, "nothing-to-pay")
    await cashier.begun(desk, mine)
    busy = await take(desk, mine)
    assert (busy.status, busy.json()["code"]) == (409, "payment-under-way")
    assert await cashier.owed(desk) == 450


async def test_cash_of_another_amount_than_is_due_is_not_recorded(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.lowered(desk, charge, 300)
    less = await take(desk, charge)
    assert (less.status, less.json()["code"]) == (409, "amount-changed")
    assert "$3.00" in less.json()["detail"]
    assert (await take(desk, charge, cents=300)).status == 201
    await cashier.lowered(desk, charge, 150)
    assert (await give_back(desk, charge, 300)).json()["code"] == "amount-changed"
    assert (await give_back(desk, charge, 150)).status == 201
    after = await cashier.now(desk, charge)
    assert (after["outstanding_cents"], after["refund_due_cents"], after["paid_cents"]) == (
        0,
        0,
        150,
    )


async def test_concurrent_payments_and_waivers_at_desks_add_up_to_the_charges(
    desk: Desk,
) -> None:
    charges = await cashier.fines(desk, 450, 450, 450)

    async def call(number: int) -> Answer:
        charge = charges[number % 3]
        if number % 2:
            return await cashier.waive(desk, charge, 50)
        left = (await cashier.now(desk, charge))["outstanding_cents"]
        return await take(desk, charge, cents=left or 50)

    answers = await asyncio.gather(*(call(number) for number in range(30)))
    for charge in charges:  # each attempt above may have met a waiver
        if left := (await cashier.now(desk, charge))["outstanding_cents"]:
            answers.append(await take(desk, charge, cents=left))
    codes = {answer.json()["code"] for answer in answers if answer.status == 409}
    assert codes <= {"nothing-to-pay", "more-than-outstanding", "amount-changed"}
    taken = [answer.json() for answer in answers if answer.status == 201]
    assert sorted(one["parts"][0]["charge_id"] for one in taken) == sorted(
        charge["id"] for charge in charges
    )
    for charge in charges:
        after = await cashier.now(desk, charge)
        assert after["outstanding_cents"] == after["refund_due_cents"] == 0
        [paid] = [one for one in taken if one["parts"][0]["charge_id"] == charge["id"]]
        assert after["waived_cents"] == 450 - paid["amount_cents"]
    assert await cashier.owed(desk) == 0


@pytest.mark.usefixtures("without_provider")
async def test_a_payment_in_cash_is_given_back_in_cash_once(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await take(desk, charge)
    assert (await give_back(desk, charge)).json()["code"] == "no-refund-due"
    await cashier.lowered(desk, charge, 150)
    given = await give_back(desk, charge)
    refund = given.json()
    assert (given.status, refund["state"], refund["in_cash"]) == (201, "given", True)
    assert (await give_back(desk, charge)).json()["code"] == "no-refund-due"
    after = await cashier.now(desk, charge)
    assert after["refund_due_cents"] == 0
    assert cashier.kinds(after) == {
        "charge": 450,
        "payment": -450,
        "refund-due": -300,
        "refund": 300,
    }
    assert (after["entries"][-1]["by"], after["entries"][-1]["reference"]) == ("s1", refund["id"])
    assert await cashier.books(desk) == []


async def test_without_a_provider_its_payments_are_not_given_back_in_cash(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 150)
    state = desk.api.app.state
    provided = state.settings
    state.settings = provided.model_copy(update={"payment_provider": "none"})
    assert (await give_back(desk, charge)).json()["code"] == "no-payment-provider"
    state.settings = provided
    given = await give_back(desk, charge)
    assert (given.json()["state"], given.json()["in_cash"]) == ("given", False)
    assert [row["cents"] for row in await cashier.books(desk, refund=True)] == [300]


@pytest.mark.usefixtures("without_provider")
async def test_cash_for_a_part_pays_the_first_charges_first(desk: Desk) -> None:
    one, two, three = await cashier.fines(desk, 450, 300, 150)
    taken = await take(desk, two, one, three, cents=500)
    assert taken.status == 201
    assert [(part["charge_id"], part["amount_cents"]) for part in taken.json()["parts"]] == [
        (two["id"], 300),
        (one["id"], 200),
    ]
    after = [await cashier.now(desk, charge) for charge in (one, two, three)]
    assert [charge["outstanding_cents"] for charge in after] == [250, 0, 150]
    assert cashier.kinds(after[0]) == {"charge": 450, "payment": -200}
    assert cashier.kinds(after[2]) == {"charge": 150}
    assert await cashier.owed(desk) == 400
    assert await desk.count("fine.paid") == 2
    more = await take(desk, one, three, cents=401)
    assert (more.status, more.json()["code"]) == (409, "amount-changed")
    assert "$4.00" in more.json()["detail"]
    assert (await take(desk, one, three, cents=400)).status == 201
    assert await cashier.owed(desk) == 0
    assert await findings(desk) == []


async def test_a_part_in_cash_is_refused_if_another_amount_was_shown(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.lowered(desk, charge, 300)
    refused = await take(desk, charge, cents=200, shown=450)
    assert (refused.status, refused.json()["code"]) == (409, "amount-changed")
    assert (await take(desk, charge, cents=200, shown=300)).status == 201
    assert await cashier.owed(desk) == 100


async def test_a_charge_paid_in_both_ways_is_given_back_in_both_ways_in_cash_first(
    desk: Desk,
) -> None:
    charge = await cashier.fine(desk)
    assert (await take(desk, charge, cents=100)).status == 201
    assert (await take(desk, charge, cents=50)).status == 201
    assert (await cashier.pay(desk, charge)).status == 201
    await cashier.lowered(desk, charge, 150)
    given = []
    while (shown := await cashier.now(desk, charge))["refund_due_cents"]:
        refund = (await give_back(desk, charge, shown["next_refund_cents"])).json()
        assert refund["in_cash"] == shown["next_refund_in_cash"]
        given.append((refund["amount_cents"], refund["in_cash"]))
    assert given == [(150, True), (150, False)]
    assert [row["cents"] for row in await cashier.books(desk, refund=True)] == [150]
    assert (await give_back(desk, charge)).json()["code"] == "no-refund-due"
    await cashier.lowered(desk, charge, 0)
    assert (await give_back(desk, charge)).json()["amount_cents"] == 150
    assert [row["cents"] for row in await cashier.books(desk, refund=True)] == [150, 150]
    assert await findings(desk) == []


async def test_concurrent_parts_in_cash_never_exceed_the_charge(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    answers = await asyncio.gather(*(take(desk, charge, cents=100) for _ in range(50)))
    assert sorted(answer.status for answer in answers) == [201] * 4 + [409] * 46
    assert (await take(desk, charge, cents=50)).status == 201
    assert await cashier.owed(desk) == 0
    assert await findings(desk) == []
