"""Payments, waivers and refunds, with a provider that may decline or not answer."""

import asyncio
from collections import Counter

import orjson
import pytest

from services.circulation.charges.clients import Double
from services.circulation.rules.payment import Step
from tests.circulation.cashier import (
    P1,
    P2,
    PAID_ON,
    ask_to_pay,
    begun,
    books,
    fine,
    fines,
    job,
    kinds,
    lowered,
    now,
    order,
    owed,
    pay,
    step,
    waive,
)
from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer

CHANGES = {"Carrel-Changes": "1"}
"""Headers of a gateway's request: it wants the recorded events with the response."""

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


async def test_a_block_for_debt_from_accounts_ends_with_the_debt(desk: Desk) -> None:
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
async def test_each_charge_event_contains_the_patrons_standing(
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


@pytest.mark.deadlines
@pytest.mark.parametrize(
    "orders",
    [
        [("authorise", "lose")],
        [("authorise", "late")],
        [("capture", "lose")],
        [("capture", "late")],
    ],
    ids=[
        "the provider never heard of it: it is sent again",
        "reserved, and the answer came too late: it goes on",
        "never asked to take it: it is asked again",
        "taken, and the answer came too late: it is settled",
    ],
)
async def test_one_lost_call_or_answer_of_the_provider_delays_a_payment_only(
    desk: Desk, orders: list[tuple[str, str]]
) -> None:
    charge = await fine(desk)
    await order(desk, *orders)
    paid = await ask_to_pay(desk, charge)
    assert (paid.status, paid.json()["state"]) == (201, "paid")
    assert [row["_id"] for row in await books(desk)] == [paid.json()["id"]]
    assert await desk.count("fine.paid") == 1
    assert await owed(desk) == 0


@pytest.mark.deadlines
async def test_a_payment_that_never_reached_the_provider_is_not_called_declined(
    desk: Desk,
) -> None:
    charge = await fine(desk)
    await order(desk, ("authorise", "lose"), ("authorise", "lose"))
    lost = await ask_to_pay(desk, charge, key="k-1")
    assert (lost.status, lost.json()["code"]) == (409, "payment-not-received")
    assert await books(desk) == []
    assert (await waive(desk, charge, 100)).status == 200, "nothing is under way any more"
    again = await ask_to_pay(desk, charge, key="k-1")
    assert again.json()["code"] == "payment-not-received"
    assert (await pay(desk, charge)).status == 201


@pytest.mark.deadlines
@pytest.mark.parametrize(
    ("orders", "ends"),
    [
        ([("authorise", "lose"), ("standing", "lose")], "paid"),
        ([("capture", "lose"), ("capture", "late")], "paid"),
        ([("authorise", "lose"), ("standing", "lose"), ("standing", "lose")], "paid"),
        ([("authorise", "lose"), ("standing", "lose"), ("authorise", "lose")], "not-received"),
    ],
    ids=[
        "the provider never heard of it: it is sent again",
        "taken, and the answer came too late: it is settled",
        "the provider stays away for a while",
        "sent again in vain: it ends",
    ],
)
async def test_a_payment_without_an_answer_is_pending_until_the_provider_answers(
    desk: Desk, orders: list[tuple[str, str]], ends: str
) -> None:
    charge = await fine(desk)
    await order(desk, *orders)
    pending = await ask_to_pay(desk, charge)
    assert (pending.status, pending.json()["state"]) == (202, "pending")
    assert (await waive(desk, charge, 100)).json()["code"] == "payment-under-way"
    assert await job(desk, noon(PAID_ON)) == 0, "it is left to the call that began it"

    for _ in range(len(orders)):
        await job(desk)
    told = await desk.api.get(f"/v1/payments/{pending.json()['id']}", as_=P1)
    assert told.json()["state"] == ends
    taken = int(ends == "paid")
    assert len(await books(desk, capture=True)) == taken
    assert (await now(desk, charge))["outstanding_cents"] == 450 * (1 - taken)
    assert await desk.count("fine.paid") == taken
    if not taken:
        assert (await pay(desk, charge)).status == 201


@pytest.mark.deadlines
async def test_a_payment_retried_with_its_key_continues_the_same_payment(desk: Desk) -> None:
    charge = await fine(desk)
    await order(desk, ("authorise", "late"), ("standing", "lose"))
    first = await ask_to_pay(desk, charge, key="k-1")
    second = await ask_to_pay(desk, charge, key="k-1")
    third = await ask_to_pay(desk, charge, key="k-1")
    assert [first.status, second.status, third.status] == [202, 201, 201]
    assert len({answer.json()["id"] for answer in (first, second, third)}) == 1
    assert len(await books(desk)) == 1
    assert await desk.count("fine.paid") == 1


@pytest.mark.deadlines
@pytest.mark.parametrize("ended_by", ["the first call", "another call", "the job"])
async def test_a_repeated_payment_returns_the_changes_of_the_first_whoever_ended_it(
    desk: Desk, ended_by: str
) -> None:
    """The first answer may be lost, and its events reach no gateway while Kafka is away."""
    one, two = await fines(desk, 450, 300)
    if ended_by != "the first call":
        await order(desk, ("authorise", "lose"), ("standing", "lose"))
    await ask_to_pay(desk, one, two, key="k-1")
    if ended_by != "the first call":
        await (pay(desk, one, two) if ended_by == "another call" else job(desk))
    outbox = desk.api.app.state.database.outbox
    recorded = [row["body"] async for row in outbox.find({"topic": "fine.paid"})]

    again = await ask_to_pay(desk, one, two, key="k-1", headers=CHANGES)
    assert again.json()["answer"]["state"] == "paid"
    shown = {each["data"]["charge_id"]: each["data"] for each in again.json()["changes"]}
    assert list(shown.values()) == [orjson.loads(body) for body in recorded]
    assert await desk.count("fine.paid") == 2, "nothing is published twice"


async def test_the_job_finishes_a_payment_that_a_crash_interrupted(
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
    assert states == ["paid", "paid", "paid", "paid"]
    assert len(await books(desk, capture=True)) == 4
    assert await owed(desk) == 0


@pytest.mark.deadlines
async def test_a_stalled_call_captures_no_money_after_its_payment_was_dropped(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await begun(desk, charge)
    await order(desk, ("authorise", "lose"))
    assert await job(desk) == 1  # the provider does not know the payment, and is sent it in vain
    answer = await Double(desk.api.app.state.database).authorise(payment.id, payment.cents)
    assert answer, "the money is reserved, too late"
    with pytest.raises(Exception, match="This payment has ended"):
        await step(desk, payment, Step.AUTHORISE)
    assert (await now(desk, charge))["outstanding_cents"] == 450


async def test_fifty_concurrent_confirmations_settle_a_payment_once(desk: Desk) -> None:
    charge = await fine(desk)
    payment = await begun(desk, charge)
    await step(desk, payment, Step.AUTHORISE)
    settled = await asyncio.gather(*(step(desk, payment, Step.SETTLE) for _ in range(50)))
    assert {one.state.value for one in settled} == {"paid"}
    assert kinds(await now(desk, charge)) == {"charge": 450, "payment": -450}
    assert await desk.count("fine.paid") == 1
    assert await owed(desk) == 0


# ---- waivers and refunds ------------------------------------------------------------------------


async def test_a_partial_waiver_is_recorded_with_author_and_reason(desk: Desk) -> None:
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


async def test_a_repeated_refund_returns_the_changes_of_the_first(desk: Desk) -> None:
    charge = await fine(desk)
    await pay(desk, charge)
    await lowered(desk, charge, 150)
    path, at = f"/v1/charges/{charge['id']}/refund", noon(PAID_ON)
    first = await desk.api.insist("POST", path, as_=STAFF, key="r-1", at=at, headers=CHANGES)
    again = await desk.api.insist("POST", path, as_=STAFF, key="r-1", at=at, headers=CHANGES)
    assert [each["data"]["refunded_cents"] for each in first.json()["changes"]] == [300]
    assert again.json() == first.json()


@pytest.mark.deadlines
@pytest.mark.parametrize("do", ["lose", "late"])
async def test_the_job_gives_a_refund_without_an_answer_once(desk: Desk, do: str) -> None:
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


async def test_a_fine_lowered_during_its_payment_leaves_a_refund_due(
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


async def test_the_ledger_balances_after_fifty_concurrent_payments_and_waivers(desk: Desk) -> None:
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
