"""Paying again, or asking for a refund again, while the first call is under way."""

from typing import Any

import pytest

from services.circulation.charges import store as charges_store
from services.circulation.charges.clients import HostedPage
from services.circulation.charges.clients.double import Double
from services.circulation.charges.commands.payments import BeginPayment, pay_charges
from services.circulation.charges.refusals import PaymentDeclined
from services.circulation.rules.payment import Payment, Step
from tests.circulation import cashier
from tests.circulation.desk import STAFF, Desk, noon


async def left(desk: Desk, charge: dict[str, Any], state: str) -> Payment:
    """Leave a payment at a step: `begun`, `reserved`, `recorded`, `taken` or `declined`."""
    database = desk.api.app.state.database
    payment = await cashier.begun(desk, charge)
    if state != "begun":
        facts = {"cents": payment.cents, "authorise": state != "declined"}
        await charges_store.record_call(database, payment.id, facts)
    if state in ("recorded", "taken"):
        await cashier.step(desk, payment, Step.AUTHORISE)
    if state == "taken":
        await charges_store.record_call(database, payment.id, {"capture": True})
    return payment


@pytest.mark.parametrize("state", ["begun", "reserved", "recorded", "taken"])
async def test_paying_again_continues_the_pending_payment(desk: Desk, state: str) -> None:
    """In a simulation no job runs by itself, so the patron must be able to continue."""
    charge = await cashier.fine(desk)
    payment = await left(desk, charge, state)
    paid = await cashier.pay(desk, charge)
    assert (paid.status, paid.json()["state"], paid.json()["id"]) == (201, "paid", payment.id)
    assert [row["_id"] for row in await cashier.books(desk, capture=True)] == [payment.id]
    assert cashier.kinds(await cashier.now(desk, charge)) == {"charge": 450, "payment": -450}
    assert await desk.count("fine.paid") == 1
    assert await cashier.owed(desk) == 0
    assert await cashier.job(desk) == 0


async def test_paying_again_with_another_key_gets_the_same_response(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    payment = await left(desk, charge, "reserved")
    while (first := await cashier.ask_to_pay(desk, charge, key="k-2")).status == 202:
        pass
    assert first.json()["id"] == payment.id
    assert (await cashier.ask_to_pay(desk, charge, key="k-2")).json() == first.json()


async def test_a_new_payment_can_start_after_a_continued_one_is_declined(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    payment = await left(desk, charge, "declined")
    declined = await cashier.pay(desk, charge)
    assert (declined.status, declined.json()["code"]) == (409, "payment-declined")
    paid = await cashier.pay(desk, charge)
    assert paid.status == 201
    assert paid.json()["id"] != payment.id
    assert [row["cents"] for row in await cashier.books(desk, capture=True)] == [450]


async def test_a_payment_of_more_charges_first_ends_the_pending_one(desk: Desk) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    payment = await left(desk, one, "begun")
    both = await cashier.pay(desk, one, two)
    assert (both.status, both.json()["amount_cents"]) == (201, 750)
    ended = (await desk.api.get(f"/v1/payments/{payment.id}", as_=cashier.P1)).json()
    assert ended["state"] == "not-received", "the provider had not heard of it"
    assert [row["cents"] for row in await cashier.books(desk, capture=True)] == [750]
    assert await cashier.owed(desk) == 0


async def test_a_charge_with_a_captured_payment_is_not_paid_twice_in_a_joint_payment(
    desk: Desk,
) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    await left(desk, one, "taken")
    both = await cashier.pay(desk, one, two)
    assert (both.status, both.json()["code"]) == (409, "nothing-to-pay")
    assert (await cashier.now(desk, one))["outstanding_cents"] == 0
    assert (await cashier.now(desk, two))["outstanding_cents"] == 300
    assert (await cashier.pay(desk, two)).status == 201
    assert sorted(row["cents"] for row in await cashier.books(desk, capture=True)) == [300, 450]


async def test_a_refused_payment_returns_the_changes_of_the_one_that_it_ended(desk: Desk) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    await left(desk, one, "taken")
    both = await cashier.ask_to_pay(desk, one, two, headers={"Carrel-Changes": "1"})
    said = both.json()
    assert (both.status, said["status"], said["answer"]["code"]) == (409, 409, "nothing-to-pay")
    assert [each["data"]["charge_id"] for each in said["changes"]] == [one["id"]]


async def test_another_patron_cannot_continue_a_payment(desk: Desk) -> None:
    await desk.patron("p2")
    charge = await cashier.fine(desk)
    payment = await left(desk, charge, "begun")
    assert (await cashier.ask_to_pay(desk, charge, as_=cashier.P2)).json()[
        "code"
    ] == "no-such-charge"
    mine = (await desk.api.get(f"/v1/payments/{payment.id}", as_=cashier.P1)).json()
    assert mine["state"] == "pending"


async def test_a_payment_released_meanwhile_is_answered_as_declined(
    desk: Desk,
) -> None:
    """The job releases the payment while the call waits for the provider."""
    charge = await cashier.fine(desk)
    payment = await left(desk, charge, "begun")

    class Slow(Double):
        async def authorise(self, asked: Payment) -> bool | HostedPage:
            await cashier.step(desk, payment, Step.RELEASE)
            return await super().authorise(asked)

    provider = Slow(desk.api.app.state.database)
    command = BeginPayment((charge["id"],), "p1")
    with pytest.raises(PaymentDeclined):
        await pay_charges(desk.run(), provider, command, desk.run().now.date())
    assert await cashier.books(desk, capture=True) == []
    assert await cashier.owed(desk) == 450


@pytest.mark.parametrize("given", [False, True], ids=["not given yet", "given"])
async def test_requesting_a_refund_again_continues_the_pending_one(desk: Desk, given: bool) -> None:
    charge = await cashier.fine(desk)
    payment = (await cashier.pay(desk, charge)).json()
    await cashier.lowered(desk, charge, 0)
    refund = await cashier.refund_begun(desk, charge)
    if given:
        facts = {"of": payment["id"], "cents": 450, "refund": True}
        await charges_store.record_call(desk.api.app.state.database, refund.id, facts)
    path = f"/v1/charges/{charge['id']}/refund"
    at = noon(cashier.PAID_ON)
    while (answer := await desk.api.insist("POST", path, as_=STAFF, at=at)).status == 202:
        pass
    assert (answer.status, answer.json()["id"]) == (201, refund.id)
    assert [row["_id"] for row in await cashier.books(desk, refund=True)] == [refund.id]
    assert (await cashier.now(desk, charge))["refund_due_cents"] == 0
    assert (await desk.api.post(path, as_=STAFF)).json()["code"] == "no-refund-due"
