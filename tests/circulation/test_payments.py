"""Payments, waivers and refunds, with a provider that may decline or not answer."""

import asyncio
from collections import Counter

import orjson
import pytest

from services.circulation.charges.clients.double import Double
from services.circulation.rules.payment import Step
from tests.circulation import cashier
from tests.circulation.desk import STAFF, Desk, noon
from tests.support import Answer

CHANGES = {"Carrel-Changes": "1"}
"""Headers of a gateway's request: it wants the recorded events with the response."""

# ---- payments -----------------------------------------------------------------------------------


async def test_a_payment_pays_each_charge_in_full_and_the_patron_borrows_at_once(
    desk: Desk,
) -> None:
    one, two = await cashier.fines(desk, 450, 300)
    [copy] = await desk.copies(1)
    [refused] = await desk.lend(copy, on=cashier.PAID_ON)
    assert refused["problem"]["code"] == "patron-blocked"

    answer = await cashier.pay(desk, one, two)
    assert (answer.status, answer.json()["state"]) == (201, "paid")
    assert answer.json()["amount_cents"] == 750
    for charge in (one, two):
        paid = await cashier.now(desk, charge)
        assert (paid["outstanding_cents"], paid["paid_cents"]) == (0, charge["amount_cents"])
        entry = paid["entries"][-1]
        assert entry["reference"] == answer.json()["id"]
        assert (entry["by"], entry["on"]) == ("p1", cashier.PAID_ON)
    assert await cashier.owed(desk) == 0
    assert await desk.count("fine.paid") == 2
    [lent] = await desk.lend(copy, on=cashier.PAID_ON)
    assert lent["ok"]


async def test_a_block_for_debt_from_accounts_ends_with_the_debt(desk: Desk) -> None:
    """A block for money in an event of accounts may arrive after the debt was paid."""
    charge = await cashier.fine(desk)
    [copy] = await desk.copies(1)
    await desk.patron(version=2, status="blocked", blocked_by=("money",))
    assert (await desk.lend(copy, on=cashier.PAID_ON))[0]["problem"]["code"] == "patron-blocked"
    await cashier.pay(desk, charge)
    assert (await desk.lend(copy, on=cashier.PAID_ON))[0]["ok"]
    for version, by in ((3, ("money", "staff")), (4, ("staff",)), (5, ())):
        await desk.patron(version=version, status="blocked", blocked_by=by)
        [other] = await desk.copies(1)
        [refused] = await desk.lend(other, on=cashier.PAID_ON)
        assert refused["problem"]["code"] == "patron-blocked", by


@pytest.mark.parametrize(
    ("does", "cents", "blocked"),
    [("assessed", 450, True), ("waived", 300, True), ("paid", 0, False)],
)
async def test_each_charge_event_contains_the_patrons_standing(
    desk: Desk, does: str, cents: int, blocked: bool
) -> None:
    charge = await cashier.fine(desk)
    if does == "waived":
        await cashier.waive(desk, charge, 150)
    if does == "paid":
        await cashier.pay(desk, charge)
    row = await desk.api.app.state.database.outbox.find_one({"topic": f"fine.{does}"})
    standing = orjson.loads(row["body"])["standing"]
    assert (standing["outstanding_cents"], standing["blocked"]) == (cents, blocked)
    borrower = await desk.api.app.state.database.borrowers.find_one({"_id": "p1"})
    assert standing["version"] == borrower["version"]


async def test_another_patrons_charge_is_not_found(desk: Desk) -> None:
    await desk.patron("p2")
    mine, theirs = await cashier.fine(desk, to="p2"), await cashier.fine(desk)
    assert (await cashier.pay(desk, mine, theirs, as_=cashier.P2)).status == 404
    assert (await cashier.pay(desk, theirs, as_=cashier.P2)).json()["code"] == "no-such-charge"
    assert await cashier.books(desk) == []
    paid = (await cashier.pay(desk, mine, as_=cashier.P2)).json()
    read = (await desk.api.get(f"/v1/payments/{paid['id']}", as_=cashier.P2)).json()
    assert {name: read[name] for name in paid} | {"parts": paid["parts"]} == paid
    assert (await desk.api.get(f"/v1/payments/{paid['id']}", as_=cashier.P1)).status == 404


async def test_a_settled_charge_is_not_paid_again(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    assert (await cashier.pay(desk, charge)).status == 201
    again = await cashier.pay(desk, charge)
    assert (again.status, again.json()["code"]) == (409, "nothing-to-pay")
    assert [row["cents"] for row in await cashier.books(desk)] == [450]


async def test_without_a_provider_nothing_can_be_paid(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    state = desk.api.app.state
    state.settings = state.settings.model_copy(update={"payment_provider": "none"})
    assert (await cashier.pay(desk, charge)).json()["code"] == "no-payment-provider"


@pytest.mark.parametrize("call", ["authorise", "capture"])
async def test_a_payment_that_is_declined_leaves_the_charge_to_be_paid(
    desk: Desk, call: str
) -> None:
    charge = await cashier.fine(desk)
    await cashier.order(desk, (call, "decline"))
    declined = await cashier.pay(desk, charge)
    assert (declined.status, declined.json()["code"]) == (409, "payment-declined")
    assert await cashier.owed(desk) == 450
    assert (await cashier.pay(desk, charge)).status == 201


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
    charge = await cashier.fine(desk)
    await cashier.order(desk, *orders)
    paid = await cashier.ask_to_pay(desk, charge)
    assert (paid.status, paid.json()["state"]) == (201, "paid")
    assert [row["_id"] for row in await cashier.books(desk)] == [paid.json()["id"]]
    assert await desk.count("fine.paid") == 1
    assert await cashier.owed(desk) == 0


@pytest.mark.deadlines
async def test_a_payment_that_never_reached_the_provider_is_not_called_declined(
    desk: Desk,
) -> None:
    charge = await cashier.fine(desk)
    await cashier.order(desk, ("authorise", "lose"), ("authorise", "lose"))
    lost = await cashier.ask_to_pay(desk, charge, key="k-1")
    assert (lost.status, lost.json()["code"]) == (409, "payment-not-received")
    assert await cashier.books(desk) == []
    assert (await cashier.waive(desk, charge, 100)).status == 200, "nothing is under way any more"
    again = await cashier.ask_to_pay(desk, charge, key="k-1")
    assert again.json()["code"] == "payment-not-received"
    assert (await cashier.pay(desk, charge)).status == 201


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
    charge = await cashier.fine(desk)
    await cashier.order(desk, *orders)
    pending = await cashier.ask_to_pay(desk, charge)
    assert (pending.status, pending.json()["state"]) == (202, "pending")
    assert (await cashier.waive(desk, charge, 100)).json()["code"] == "payment-under-way"
    assert await cashier.job(desk, noon(cashier.PAID_ON)) == 0, (
        "it is left to the call that began it"
    )

    for _ in range(len(orders)):
        await cashier.job(desk)
    told = await desk.api.get(f"/v1/payments/{pending.json()['id']}", as_=cashier.P1)
    assert told.json()["state"] == ends
    taken = int(ends == "paid")
    assert len(await cashier.books(desk, capture=True)) == taken
    assert (await cashier.now(desk, charge))["outstanding_cents"] == 450 * (1 - taken)
    assert await desk.count("fine.paid") == taken
    if not taken:
        assert (await cashier.pay(desk, charge)).status == 201


@pytest.mark.deadlines
async def test_a_payment_retried_with_its_key_continues_the_same_payment(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.order(desk, ("authorise", "late"), ("standing", "lose"))
    first = await cashier.ask_to_pay(desk, charge, key="k-1")
    second = await cashier.ask_to_pay(desk, charge, key="k-1")
    third = await cashier.ask_to_pay(desk, charge, key="k-1")
    assert [first.status, second.status, third.status] == [202, 201, 201]
    assert len({answer.json()["id"] for answer in (first, second, third)}) == 1
    assert len(await cashier.books(desk)) == 1
    assert await desk.count("fine.paid") == 1


@pytest.mark.deadlines
@pytest.mark.parametrize("ended_by", ["the first call", "another call", "the job"])
async def test_a_repeated_payment_returns_the_changes_of_the_first_whoever_ended_it(
    desk: Desk, ended_by: str
) -> None:
    """The first answer may be lost, and its events reach no gateway while Kafka is away."""
    one, two = await cashier.fines(desk, 450, 300)
    if ended_by != "the first call":
        await cashier.order(desk, ("authorise", "lose"), ("standing", "lose"))
    await cashier.ask_to_pay(desk, one, two, key="k-1")
    if ended_by != "the first call":
        await (cashier.pay(desk, one, two) if ended_by == "another call" else cashier.job(desk))
    outbox = desk.api.app.state.database.outbox
    recorded = [row["body"] async for row in outbox.find({"topic": "fine.paid"})]

    again = await cashier.ask_to_pay(desk, one, two, key="k-1", headers=CHANGES)
    assert again.json()["answer"]["state"] == "paid"
    shown = {each["data"]["charge_id"]: each["data"] for each in again.json()["changes"]}
    assert list(shown.values()) == [orjson.loads(body) for body in recorded]
    assert await desk.count("fine.paid") == 2, "nothing is published twice"


async def test_the_job_finishes_a_payment_that_a_crash_interrupted(
    desk: Desk,
) -> None:
    double = Double(desk.api.app.state.database)
    left = [
        await cashier.begun(desk, charge)
        for charge in await cashier.fines(desk, 450, 450, 450, 450)
    ]
    for payment in left[1:]:
        await double.authorise(payment)
    for payment in left[2:]:
        await cashier.step(desk, payment, Step.AUTHORISE)
    await double.capture(left[3])

    assert await cashier.job(desk) == 4
    assert await cashier.job(desk) == 0
    states = [
        (await desk.api.get(f"/v1/payments/{payment.id}", as_=cashier.P1)).json()["state"]
        for payment in left
    ]
    assert states == ["paid", "paid", "paid", "paid"]
    assert len(await cashier.books(desk, capture=True)) == 4
    assert await cashier.owed(desk) == 0


@pytest.mark.deadlines
async def test_a_stalled_call_captures_no_money_after_its_payment_was_dropped(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    payment = await cashier.begun(desk, charge)
    await cashier.order(desk, ("authorise", "lose"))
    assert (
        await cashier.job(desk) == 1
    )  # the provider does not know the payment, and is sent it in vain
    answer = await Double(desk.api.app.state.database).authorise(payment)
    assert answer, "the money is reserved, too late"
    with pytest.raises(Exception, match="This payment has ended"):
        await cashier.step(desk, payment, Step.AUTHORISE)
    assert (await cashier.now(desk, charge))["outstanding_cents"] == 450


async def test_fifty_concurrent_confirmations_settle_a_payment_once(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    payment = await cashier.begun(desk, charge)
    await cashier.step(desk, payment, Step.AUTHORISE)
    settled = await asyncio.gather(*(cashier.step(desk, payment, Step.SETTLE) for _ in range(50)))
    assert {one.state.value for one in settled} == {"paid"}
    assert cashier.kinds(await cashier.now(desk, charge)) == {"charge": 450, "payment": -450}
    assert await desk.count("fine.paid") == 1
    assert await cashier.owed(desk) == 0


# ---- waivers and refunds ------------------------------------------------------------------------


async def test_a_partial_waiver_is_recorded_with_author_and_reason(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    waived = await cashier.waive(desk, charge, 150)
    assert waived.json()["outstanding_cents"] == 300
    assert await cashier.owed(desk) == 300
    entry = (await cashier.now(desk, charge))["entries"][-1]
    assert (entry["kind"], entry["amount_cents"]) == ("waiver", -150)
    assert (entry["by"], entry["reason"]) == ("s1", "a kindness")
    assert (await cashier.waive(desk, charge, 301)).json()["code"] == "more-than-outstanding"
    assert (await cashier.waive(desk, charge, 300)).json()["outstanding_cents"] == 0
    assert await desk.count("fine.waived") == 2


async def test_the_paid_excess_over_a_lowered_fine_is_refunded_once(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    path = f"/v1/charges/{charge['id']}/refund"
    nothing = await desk.api.post(path, as_=STAFF)
    assert (nothing.status, nothing.json()["code"]) == (409, "no-refund-due")
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 150)
    assert (await cashier.now(desk, charge))["refund_due_cents"] == 300
    assert await cashier.owed(desk) == 0

    given = await desk.api.post(path, as_=STAFF, key="r-1", at=noon(cashier.PAID_ON))
    assert (given.status, given.json()["state"]) == (201, "given")
    assert (
        await desk.api.post(path, as_=STAFF, key="r-1", at=noon(cashier.PAID_ON))
    ).json() == given.json()
    assert (await desk.api.post(path, as_=STAFF)).json()["code"] == "no-refund-due"
    assert [row["cents"] for row in await cashier.books(desk, refund=True)] == [300]
    after = await cashier.now(desk, charge)
    assert after["refund_due_cents"] == 0
    assert cashier.kinds(after) == {
        "charge": 450,
        "payment": -450,
        "refund-due": -300,
        "refund": 300,
    }


async def test_a_repeated_refund_returns_the_changes_of_the_first(desk: Desk) -> None:
    charge = await cashier.fine(desk)
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 150)
    path, at = f"/v1/charges/{charge['id']}/refund", noon(cashier.PAID_ON)
    first = await desk.api.insist("POST", path, as_=STAFF, key="r-1", at=at, headers=CHANGES)
    again = await desk.api.insist("POST", path, as_=STAFF, key="r-1", at=at, headers=CHANGES)
    assert [each["data"]["refunded_cents"] for each in first.json()["changes"]] == [300]
    assert again.json() == first.json()


@pytest.mark.deadlines
@pytest.mark.parametrize("do", ["lose", "late"])
async def test_the_job_gives_a_refund_without_an_answer_once(desk: Desk, do: str) -> None:
    charge = await cashier.fine(desk)
    await cashier.pay(desk, charge)
    await cashier.lowered(desk, charge, 0)
    await cashier.order(desk, ("refund", do))
    path = f"/v1/charges/{charge['id']}/refund"
    pending = await desk.api.post(path, as_=STAFF, at=noon(cashier.PAID_ON))
    assert (pending.status, pending.json()["state"]) == (202, "pending")
    assert await cashier.job(desk) == 1
    assert len(await cashier.books(desk, refund=True)) == 1
    assert (await cashier.now(desk, charge))["refund_due_cents"] == 0


async def test_a_fine_lowered_during_its_payment_leaves_a_refund_due(
    desk: Desk,
) -> None:
    charge = await cashier.fine(desk)
    payment = await cashier.begun(desk, charge)
    await cashier.lowered(desk, charge, 300)
    await cashier.step(desk, payment, Step.AUTHORISE)
    await cashier.step(desk, payment, Step.SETTLE)
    after = await cashier.now(desk, charge)
    assert (after["outstanding_cents"], after["paid_cents"], after["refund_due_cents"]) == (
        0,
        300,
        150,
    )
    assert await cashier.owed(desk) == 0


# ---- concurrent calls ---------------------------------------------------------------------------


async def test_the_ledger_balances_after_fifty_concurrent_payments_and_waivers(desk: Desk) -> None:
    charges = await cashier.fines(desk, 450, 450, 450, 450, 450)

    async def call(number: int) -> Answer:
        charge = charges[number % 5]
        return await (
            cashier.ask_to_pay(desk, charge) if number % 2 else cashier.waive(desk, charge, 50)
        )

    answers = await asyncio.gather(*(call(number) for number in range(50)))
    answers += [await cashier.pay(desk, charge) for charge in charges]
    assert {answer.status for answer in answers} <= {200, 201, 202, 409}
    codes = {answer.json().get("code") for answer in answers if answer.status == 409}
    assert codes <= {"payment-under-way", "nothing-to-pay", "more-than-outstanding"}
    waived = Counter(answer.json()["id"] for answer in answers if answer.status == 200)
    taken = {row["_id"]: row["cents"] for row in await cashier.books(desk, capture=True)}
    paid = [answer.json() for answer in answers if answer.status == 201]
    assert {one["id"]: one["amount_cents"] for one in paid} == taken, "all of one payment"
    left = 0
    for charge in charges:
        after = await cashier.now(desk, charge)
        entries = after["entries"]
        assert sum(entry["amount_cents"] for entry in entries) == after["outstanding_cents"] >= 0
        assert after["waived_cents"] == 50 * waived[charge["id"]]
        assert after["refund_due_cents"] == 0
        left += after["outstanding_cents"]
    assert await cashier.owed(desk) == left
    assert len(taken) == 5, "each charge is paid once, whoever of those who try is told so"
    assert await desk.api.app.state.database.claims.count_documents({}) == 0


# ---- unfinished payments and refunds ------------------------------------------------------------
