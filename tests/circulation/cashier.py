"""Payments of the tests: fines to pay, calls of the API, and orders for the provider double."""

from typing import Any

from services.circulation.borrowers import store as borrowers_store
from services.circulation.charges import store as charges_store
from services.circulation.charges.commands.ledger import post
from services.circulation.charges.commands.payments import (
    BeginPayment,
    advance_payment,
    begin_payment,
    begin_refund,
)
from services.circulation.rules.ledger import Occasion, lower
from services.circulation.rules.payment import Payment, Refund, Step
from shared.unit_of_work import Work
from tests import patience
from tests.circulation.desk import STAFF, Desk, noon
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
    async with patience.within(60):
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
    return await desk.api.job("circulation/payments", at=at)


async def lowered(desk: Desk, charge: dict[str, Any], to_cents: int) -> None:
    """Lower a fine, as a closure announced later does."""

    def credit(work: Work, charge_id: str) -> None:
        found = charges_store.get(work, charge_id)
        assert found is not None
        occasion = Occasion(on=found.assessed_on, at=work.now, reference="closure-1")
        credited = lower(found, to_cents, occasion)
        assert credited is not None
        post(work, borrowers_store.borrower(work, found.patron_id), [credited])

    await desk.run()(credit, charge["id"])


def kinds(charge: dict[str, Any]) -> dict[str, int]:
    return {entry["kind"]: entry["amount_cents"] for entry in charge["entries"]}


async def begun(desk: Desk, charge: dict[str, Any]) -> Payment:
    """Begin a payment whose process ends before it asks the provider."""
    return await desk.run()(begin_payment, BeginPayment((charge["id"],), "p1"))


async def refund_begun(desk: Desk, charge: dict[str, Any]) -> Refund:
    """Begin a refund whose process ends before it asks the provider."""
    run = desk.run()
    return await run(
        begin_refund, charge_id=charge["id"], by="s1", on=run.now.date(), has_provider=True
    )


async def step(desk: Desk, payment: Payment, step: Step) -> Payment:
    day = desk.run().now.date()
    return await desk.run()(advance_payment, payment.id, step, day)
