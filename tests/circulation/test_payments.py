"""Payments, waivers and refunds, with a provider that may decline or not answer."""

import asyncio
from collections import Counter
from typing import Any

import orjson
import pytest

from services.circulation import store
from services.circulation.domain.ledger import Occasion, lower
from services.circulation.domain.payment import Payment, Step
from services.circulation.domain.refusals.money import PaymentDeclined
from services.circulation.provider import Double
from services.circulation.usecases.commands.advance_payment import AdvancePayment, advance_payment
from services.circulation.usecases.commands.begin_payment import BeginPayment, begin_payment
from services.circulation.usecases.commands.begin_refund import BeginRefund, begin_refund
from services.circulation.usecases.steps.post_to_ledger import post
from services.circulation.usecases.workflows.pay_charges import pay_charges
from shared.unit_of_work import Work
from tests.circulation.desk import OPS, STAFF, Desk, noon
from tests.support import Answer, token

P1 = token("p1")
P2 = token("p2")
PAID_ON = "2020-12-08"


async def fine(desk: Desk, cents: int = 450, to: str = "p1") -> dict[str, Any]:
    """Return a copy late, and return the fine of this many cents (150 a day)."""
    [charge] = await fines(desk, cents, to=to)
    return charge


async def fines(desk: Desk, *cents: int, to: str = "p1") -> list[dict[str, Any]]:
    """Assess fines of these amounts in cents; all loans are made before the first is returned."""
    loans = [await desk.loan(on="2020-11-20", to=to) for _ in cents]  # due on 4 December
    charges = []
    for loan, sum_ in zip(loans, cents, strict=True):
        [result] = await desk.take_back(loan["barcode"], on=f"2020-12-{4 + sum_ // 150:02}")
        assert result["charge"]["amount_cents"] == sum_
        charges.append(result["charge"])
    return charges


async def pay(desk: Desk, *charges: dict[str, Any], as_: str = P1) -> Answer:
    """Pay until the payment is final: on a slow machine the provider may answer late."""
    while True:
        answer = await ask_to_pay(desk, *charges, as_=as_)
        if answer.status != 202 and answer.json().get("code") != "payment-under-way":
            return answer


async def ask_to_pay(desk: Desk, *charges: dict[str, Any], as_: str = P1, **more: Any) -> Answer:
    """Send one payment request, and return the answer."""
    body = {"charge_ids": [charge["id"] for charge in charges]}
    at = noon(PAID_ON)
    return await desk.api.insist("POST", "/v1/payments", body, as_=as_, at=at, **more)


async def waive(desk: Desk, charge: dict[str, Any], cents: int) -> Answer:
    path = f"/v1/charges/{charge['id']}/waiver"
    body = {"amount_cents": cents, "reason": "a kindness"}
    return await desk.api.insist("POST", path, body, as_=STAFF, at=noon(PAID_ON))


async def now(desk: Desk, charge: dict[str, Any]) -> dict[str, Any]:
    """Return the current charge with its ledger."""
    found: dict[str, Any] = (await desk.api.get(f"/v1/charges/{charge['id']}", as_=STAFF)).json()
    return found


async def owed(desk: Desk, patron: str = "p1") -> int:
    borrower = await desk.api.app.state.database.borrowers.find_one({"_id": patron})
    return int(borrower["outstanding_cents"])


async def order(desk: Desk, *orders: tuple[str, str]) -> None:
    """Set how the provider double behaves at its next calls."""
    database = desk.api.app.state.database
    await database.double_orders.insert_many([{"call": call, "do": do} for call, do in orders])


async def books(desk: Desk, **query: Any) -> list[dict[str, Any]]:
    return [row async for row in desk.api.app.state.database.double_books.find(query)]


async def job(desk: Desk, at: str = f"{PAID_ON}T12:05:00+08:00") -> int:
    answer = await desk.api.post("/v1/ops/jobs/circulation/payments", as_=OPS, at=at)
    assert answer.status == 200, answer.json()
    return int(answer.json()["done"])


async def lowered(desk: Desk, charge: dict[str, Any], to_cents: int) -> None:
    """Lower a fine, as a closure announced later does."""

    async def credit(work: Work, charge_id: str) -> None:
        found = await store.charges.get(work, charge_id)
        assert found is not None
        occasion = Occasion(on=found.assessed_on, at=work.now, reference="closure-1")
        credited = lower(found, to_cents, occasion)
        assert credited is not None
        await post(work, await store.patrons.borrower(work, found.patron_id), [credited])

    await desk.run()(credit, charge["id"])


def kinds(charge: dict[str, Any]) -> dict[str, int]:
    return {entry["kind"]: entry["amount_cents"] for entry in charge["entries"]}


# ---- payments -----------------------------------------------------------------------------------


async def test_a_payment_pays_each_charge_in_full_and_the_patron_borrows_at_once(
    desk: Desk,
) -> None:
    one, two = await fines(desk, 450, 300)
    [copy] = await desk.copies(1)
    [refused] = await desk.lend(copy, on=PAID_ON)
    assert refused["problem"]["code"] == "patron-blocked"

    answer = await pay(desk, one, two)
    assert (answer.status, answer.json()["state"]) == (201, "paid")
    assert answer.json()["amount_cents"] == 750
    for charge in (one, two):
        paid = await now(desk, charge)
        assert (paid["outstanding_cents"], paid["paid_cents"]) == (0, charge["amount_cents"])
        entry = paid["entries"][-1]
        assert entry["reference"] == answer.json()["id"]
        assert (entry["by"], entry["on"]) == ("p1", PAID_ON)
    assert await owed(desk) == 0
    assert await desk.count("fine.paid") == 2
    [lent] = await desk.lend(copy, on=PAID_ON)
    assert lent["ok"]


async def test_accounts_word_that_a_debt_blocks_does_not_outlast_the_debt(desk: Desk) -> None:
    """A block for money in an event of accounts may arrive after the debt was paid."""
    charge = await fine(desk)
    [copy] = await desk.copies(1)
    await desk.patron(version=2, status="blocked", blocked_by=("money",))
    assert (await desk.lend(copy, on=PAID_ON))[0]["problem"]["code"] == "patron-blocked"
    await pay(desk, charge)
    assert (await desk.lend(copy, on=PAID_ON))[0]["ok"]
    for version, by in ((3, ("money", "staff")), (4, ("staff",)), (5, ())):
        await desk.patron(version=version, status="blocked", blocked_by=by)
        [other] = await desk.copies(1)
        [refused] = await desk.lend(other, on=PAID_ON)
        assert refused["problem"]["code"] == "patron-blocked", by


@pytest.mark.parametrize(
    ("does", "cents", "blocked"),
    [("assessed", 450, True), ("waived", 300, True), ("paid", 0, False)],
)
async def test_each_event_says_how_the_patron_stands(
    desk: Desk, does: str, cents: int, blocked: bool
) -> None:
    charge = await fine(desk)
    if does == "waived":
        await waive(desk, charge, 150)
    if does == "paid":
        await pay(desk, charge)
    row = await desk.api.app.state.database.outbox.find_one({"topic": f"fine.{does}"})
    standing = orjson.loads(row["body"])["standing"]
    assert (standing["outstanding_cents"], standing["blocked"]) == (cents, blocked)
    borrower = await desk.api.app.state.database.borrowers.find_one({"_id": "p1"})
    assert standing["version"] == borrower["version"]


async def test_another_patrons_charge_is_not_found(desk: Desk) -> None:
    await desk.patron("p2")
    mine, theirs = await fine(desk, to="p2"), await fine(desk)
    assert (await pay(desk, mine, theirs, as_=P2)).status == 404
    assert (await pay(desk, theirs, as_=P2)).json()["code"] == "no-such-charge"
    assert await books(desk) == []
    paid = (await pay(desk, mine, as_=P2)).json()
    assert (await desk.api.get(f"/v1/payments/{paid['id']}", as_=P2)).json() == paid
    assert (await desk.api.get(f"/v1/payments/{paid['id']}", as_=P1)).status == 404


async def test_a_settled_charge_is_not_paid_again(desk: Desk) -> None:
    charge = await fine(desk)
    assert (await pay(desk, charge)).status == 201
    again = await pay(desk, charge)
    assert (again.status, again.json()["code"]) == (409, "nothing-to-pay")
    assert [row["cents"] for row in await books(desk)] == [450]


async def test_without_a_provider_nothing_can_be_paid(desk: Desk) -> None:
    charge = await fine(desk)
    state = desk.api.app.state
    state.settings = state.settings.model_copy(update={"payment_provider": "none"})
    assert (await pay(desk, charge)).json()["code"] == "no-payment-provider"


@pytest.mark.parametrize("call", ["authorise", "capture"])
async def test_a_payment_that_is_declined_leaves_the_charge_to_be_paid(
    desk: Desk, call: str
) -> None:
    charge = await fine(desk)
    await order(desk, (call, "decline"))
    declined = await pay(desk, charge)
    assert (declined.status, declined.json()["code"]) == (409, "payment-declined")
    assert await owed(desk) == 450
    assert (await pay(desk, charge)).status == 201


@pytest.mark.parametrize(
    ("orders", "taken"),
    [
        ([("authorise", "lose")], 0),
        ([("authorise", "late")], 1),
        ([("capture", "lose")], 1),
        ([("capture", "late")], 1),
        ([("capture", "late"), ("capture", "late")], 1),
        ([("authorise", "lose"), ("standing", "lose")], 0),
    ],
    ids=[
        "the provider never heard of it: it is released",
        "reserved, and the answer came too late: it goes on",
        "never asked to take it: it is asked again",
        "taken, and the answer came too late: it is settled",
        "and too late again: at the next run",
        "the provider stays away for a while",
    ],
)
async def test_a_payment_without_an_answer_is_pending_until_the_provider_says(
    desk: Desk, orders: list[tuple[str, str]], taken: int
) -> None:
    charge = await fine(desk)
    await order(desk, *orders)
    pending = await ask_to_pay(desk, charge)
    assert (pending.status, pending.json()["state"]) == (202, "pending")
    assert (await waive(desk, charge, 100)).json()["code"] == "payment-under-way"
    assert await job(desk, noon(PAID_ON)) == 0, "it is left to the call that began it for a minute"

    for _ in range(len(orders)):
        await job(desk)
    told = await desk.api.get(f"/v1/payments/{pending.json()['id']}", as_=P1)
    assert told.json()["state"] == ("paid" if taken else "declined")
    assert len(await books(desk, capture=True)) == taken
    assert (await now(desk, charge))["outstanding_cents"] == 450 * (1 - taken)
    assert await desk.count("fine.paid") == taken
    if not taken:
        assert (await pay(desk, charge)).status == 201


async def test_a_call_tried_again_with_its_key_goes_on_with_the_same_payment(desk: Desk) -> None:
    charge = await fine(desk)
    await order(desk, ("authorise", "late"))
    first = await ask_to_pay(desk, charge, key="k-1")
    second = await ask_to_pay(desk, charge, key="k-1")
    third = await ask_to_pay(desk, charge, key="k-1")
    assert [first.status, second.status, third.status] == [202, 201, 201]
    assert len({answer.json()["id"] for answer in (first, second, third)}) == 1
    assert len(await books(desk)) == 1
    assert await desk.count("fine.paid") == 1


async def begun(desk: Desk, charge: dict[str, Any]) -> Payment:
    """Begin a payment whose process ends before it asks the provider."""
    return await desk.run()(begin_payment, BeginPayment((charge["id"],), "p1"))


async def step(desk: Desk, payment: Payment, step: Step) -> Payment:
    day = desk.run().now.date()
    return await desk.run()(advance_payment, AdvancePayment(payment.id, step, day))


async def test_a_process_that_ended_on_the_way_leaves_what_the_job_brings_to_an_end(
    desk: Desk,
) -> None:
    double = Double(desk.api.app.state.database)
    left = [await begun(desk, charge) for charge in await fines(desk, 450, 450, 450, 450)]
    for payment in left[1:]:
        await double.authorise(payment.id, payment.cents)
    for payment in left[2:]:
        await step(desk, payment, Step.AUTHORISE)
    await double.capture(left[3].id)

    assert await job(desk) == 4
    assert await job(desk) == 0
    states = [
        (await desk.api.get(f"/v1/payments/{payment.id}", as_=P1)).json()["state"]
        for payment in left
    ]
    assert states == ["declined", "paid", "paid", "paid"]
    assert len(await books(desk, capture=True)) == 3
    assert await owed(desk) == 450


async def test_a_stalled_call_takes_no_money_after_its_payment_was_released(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await begun(desk, charge)
    await job(desk)  # the provider does not know the payment
    answer = await Double(desk.api.app.state.database).authorise(payment.id, payment.cents)
    assert answer, "the money is reserved, too late"
    with pytest.raises(Exception, match="This payment is over"):
        await step(desk, payment, Step.AUTHORISE)
    assert (await now(desk, charge))["outstanding_cents"] == 450


async def test_a_payment_confirmed_fifty_times_at_once_is_one(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await begun(desk, charge)
    await step(desk, payment, Step.AUTHORISE)
    settled = await asyncio.gather(*(step(desk, payment, Step.SETTLE) for _ in range(50)))
    assert {one.state.value for one in settled} == {"paid"}
    assert kinds(await now(desk, charge)) == {"charge": 450, "payment": -450}
    assert await desk.count("fine.paid") == 1
    assert await owed(desk) == 0


# ---- waivers and refunds ------------------------------------------------------------------------


async def test_staff_waive_a_part_and_it_is_kept_who_and_why(desk: Desk) -> None:
    charge = await fine(desk)
    waived = await waive(desk, charge, 150)
    assert waived.json()["outstanding_cents"] == 300
    assert await owed(desk) == 300
    entry = (await now(desk, charge))["entries"][-1]
    assert (entry["kind"], entry["amount_cents"]) == ("waiver", -150)
    assert (entry["by"], entry["reason"]) == ("s1", "a kindness")
    assert (await waive(desk, charge, 301)).json()["code"] == "more-than-outstanding"
    assert (await waive(desk, charge, 300)).json()["outstanding_cents"] == 0
    assert await desk.count("fine.waived") == 2


async def test_the_paid_excess_over_a_lowered_fine_is_refunded_once(desk: Desk) -> None:
    charge = await fine(desk)
    path = f"/v1/charges/{charge['id']}/refund"
    nothing = await desk.api.post(path, as_=STAFF)
    assert (nothing.status, nothing.json()["code"]) == (409, "no-refund-due")
    await pay(desk, charge)
    await lowered(desk, charge, 150)
    assert (await now(desk, charge))["refund_due_cents"] == 300
    assert await owed(desk) == 0

    given = await desk.api.post(path, as_=STAFF, key="r-1", at=noon(PAID_ON))
    assert (given.status, given.json()["state"]) == (201, "given")
    assert (
        await desk.api.post(path, as_=STAFF, key="r-1", at=noon(PAID_ON))
    ).json() == given.json()
    assert (await desk.api.post(path, as_=STAFF)).json()["code"] == "no-refund-due"
    assert [row["cents"] for row in await books(desk, refund=True)] == [300]
    after = await now(desk, charge)
    assert after["refund_due_cents"] == 0
    assert kinds(after) == {"charge": 450, "payment": -450, "refund-due": -300, "refund": 300}


@pytest.mark.parametrize("do", ["lose", "late"])
async def test_a_refund_without_an_answer_is_given_by_the_job_and_once(desk: Desk, do: str) -> None:
    charge = await fine(desk)
    await pay(desk, charge)
    await lowered(desk, charge, 0)
    await order(desk, ("refund", do))
    path = f"/v1/charges/{charge['id']}/refund"
    pending = await desk.api.post(path, as_=STAFF, at=noon(PAID_ON))
    assert (pending.status, pending.json()["state"]) == (202, "pending")
    assert await job(desk) == 1
    assert len(await books(desk, refund=True)) == 1
    assert (await now(desk, charge))["refund_due_cents"] == 0


async def test_a_fine_lowered_while_its_payment_is_under_way_leaves_a_refund_due(
    desk: Desk,
) -> None:
    charge = await fine(desk)
    payment = await begun(desk, charge)
    await lowered(desk, charge, 300)
    await step(desk, payment, Step.AUTHORISE)
    await step(desk, payment, Step.SETTLE)
    after = await now(desk, charge)
    assert (after["outstanding_cents"], after["paid_cents"], after["refund_due_cents"]) == (
        0,
        300,
        150,
    )
    assert await owed(desk) == 0


# ---- concurrent calls ---------------------------------------------------------------------------


async def test_fifty_payments_and_waivers_of_one_ledger_at_once_balance(desk: Desk) -> None:
    charges = await fines(desk, 450, 450, 450, 450, 450)

    async def call(number: int) -> Answer:
        charge = charges[number % 5]
        return await (ask_to_pay(desk, charge) if number % 2 else waive(desk, charge, 50))

    answers = await asyncio.gather(*(call(number) for number in range(50)))
    answers += [await pay(desk, charge) for charge in charges]
    assert {answer.status for answer in answers} <= {200, 201, 202, 409}
    codes = {answer.json().get("code") for answer in answers if answer.status == 409}
    assert codes <= {"payment-under-way", "nothing-to-pay", "more-than-outstanding"}
    waived = Counter(answer.json()["id"] for answer in answers if answer.status == 200)
    taken = {row["_id"]: row["cents"] for row in await books(desk, capture=True)}
    paid = [answer.json() for answer in answers if answer.status == 201]
    assert {one["id"]: one["amount_cents"] for one in paid} == taken, "all of one payment"
    left = 0
    for charge in charges:
        after = await now(desk, charge)
        entries = after["entries"]
        assert sum(entry["amount_cents"] for entry in entries) == after["outstanding_cents"] >= 0
        assert after["waived_cents"] == 50 * waived[charge["id"]]
        assert after["refund_due_cents"] == 0
        left += after["outstanding_cents"]
    assert await owed(desk) == left
    assert len(taken) == 5, "each charge is paid once, whoever of those who try is told so"
    assert await desk.api.app.state.database.claims.count_documents({}) == 0


# ---- unfinished payments and refunds ------------------------------------------------------------


async def left(desk: Desk, charge: dict[str, Any], state: str) -> Payment:
    """Leave a payment at a step: `begun`, `reserved`, `recorded`, `taken` or `declined`."""
    database = desk.api.app.state.database
    payment = await begun(desk, charge)
    if state != "begun":
        facts = {"cents": payment.cents, "authorise": state != "declined"}
        await store.double.record(database, payment.id, facts)
    if state in ("recorded", "taken"):
        await step(desk, payment, Step.AUTHORISE)
    if state == "taken":
        await store.double.record(database, payment.id, {"capture": True})
    return payment


@pytest.mark.parametrize("state", ["begun", "reserved", "recorded", "taken"])
async def test_paying_again_goes_on_with_the_payment_that_is_under_way(
    desk: Desk, state: str
) -> None:
    """In a simulation no job runs by itself, so the patron must be able to continue."""
    charge = await fine(desk)
    payment = await left(desk, charge, state)
    paid = await pay(desk, charge)
    assert (paid.status, paid.json()["state"], paid.json()["id"]) == (201, "paid", payment.id)
    assert [row["_id"] for row in await books(desk, capture=True)] == [payment.id]
    assert kinds(await now(desk, charge)) == {"charge": 450, "payment": -450}
    assert await desk.count("fine.paid") == 1
    assert await owed(desk) == 0
    assert await job(desk) == 0


async def test_paying_again_under_another_key_is_answered_alike_each_time(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await left(desk, charge, "reserved")
    while (first := await ask_to_pay(desk, charge, key="k-2")).status == 202:
        pass
    assert first.json()["id"] == payment.id
    assert (await ask_to_pay(desk, charge, key="k-2")).json() == first.json()


async def test_a_payment_declined_when_it_is_gone_on_with_can_be_begun_anew(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await left(desk, charge, "declined")
    declined = await pay(desk, charge)
    assert (declined.status, declined.json()["code"]) == (409, "payment-declined")
    paid = await pay(desk, charge)
    assert paid.status == 201
    assert paid.json()["id"] != payment.id
    assert [row["cents"] for row in await books(desk, capture=True)] == [450]


async def test_a_payment_of_more_charges_first_ends_the_one_that_is_under_way(desk: Desk) -> None:
    one, two = await fines(desk, 450, 300)
    payment = await left(desk, one, "begun")
    both = await pay(desk, one, two)
    assert (both.status, both.json()["amount_cents"]) == (201, 750)
    ended = (await desk.api.get(f"/v1/payments/{payment.id}", as_=P1)).json()
    assert ended["state"] == "declined", "the provider had not heard of it"
    assert [row["cents"] for row in await books(desk, capture=True)] == [750]
    assert await owed(desk) == 0


async def test_a_charge_with_a_captured_payment_is_not_paid_again_together_with_another(
    desk: Desk,
) -> None:
    one, two = await fines(desk, 450, 300)
    await left(desk, one, "taken")
    both = await pay(desk, one, two)
    assert (both.status, both.json()["code"]) == (409, "nothing-to-pay")
    assert (await now(desk, one))["outstanding_cents"] == 0
    assert (await now(desk, two))["outstanding_cents"] == 300
    assert (await pay(desk, two)).status == 201
    assert sorted(row["cents"] for row in await books(desk, capture=True)) == [300, 450]


async def test_another_patron_does_not_go_on_with_a_payment(desk: Desk) -> None:
    await desk.patron("p2")
    charge = await fine(desk)
    payment = await left(desk, charge, "begun")
    assert (await ask_to_pay(desk, charge, as_=P2)).json()["code"] == "no-such-charge"
    mine = (await desk.api.get(f"/v1/payments/{payment.id}", as_=P1)).json()
    assert mine["state"] == "pending"


async def test_a_payment_that_was_released_in_this_moment_is_said_to_be_declined(
    desk: Desk,
) -> None:
    """The job releases the payment while the call waits for the provider."""
    charge = await fine(desk)
    payment = await left(desk, charge, "begun")

    class Slow(Double):
        async def authorise(self, reference: str, cents: int) -> bool:
            await step(desk, payment, Step.RELEASE)
            return await super().authorise(reference, cents)

    provider = Slow(desk.api.app.state.database)
    command = BeginPayment((charge["id"],), "p1")
    with pytest.raises(PaymentDeclined):
        await pay_charges(desk.run(), provider, command, desk.run().now.date())
    assert await books(desk, capture=True) == []
    assert await owed(desk) == 450


@pytest.mark.parametrize("given", [False, True], ids=["not given yet", "given"])
async def test_a_refund_asked_for_again_goes_on_with_the_one_under_way(
    desk: Desk, given: bool
) -> None:
    charge = await fine(desk)
    payment = (await pay(desk, charge)).json()
    await lowered(desk, charge, 0)
    refund = await desk.run()(begin_refund, BeginRefund(charge["id"], "s1"))
    if given:
        facts = {"of": payment["id"], "cents": 450, "refund": True}
        await store.double.record(desk.api.app.state.database, refund.id, facts)
    path = f"/v1/charges/{charge['id']}/refund"
    at = noon(PAID_ON)
    while (answer := await desk.api.insist("POST", path, as_=STAFF, at=at)).status == 202:
        pass
    assert (answer.status, answer.json()["id"]) == (201, refund.id)
    assert [row["_id"] for row in await books(desk, refund=True)] == [refund.id]
    assert (await now(desk, charge))["refund_due_cents"] == 0
    assert (await desk.api.post(path, as_=STAFF)).json()["code"] == "no-refund-due"
