"""Steps about charges: losses, payments, refunds and fine statements."""

from typing import Any

from ops.scenario.definition import Step
from ops.scenario.inboxes import all_state_amount, expect_notifications, new_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run


async def declare_loss(run: Run, step: Step) -> list[Check]:
    """Declare a copy lost, and check the charges and notifications."""
    barcode, card = step["barcode"], step["card"]
    answer = await run.api.post(f"/v1/loans/{run.loans[barcode]['id']}/loss", by=card)
    run.loans[barcode] = answer["loan"]
    await run.flow.settle()
    notifications = await new_notifications(run)
    expected = step["expect"]
    found = {charge["kind"]: charge["amount_cents"] for charge in answer["charges"]}
    return [
        Check(f"{barcode} charged", expected["charges"], found),
        Check("days charged", expected["charged_days"], answer["statement"]["charged_days"]),
        Check(
            "notified once of the loss and its charges",
            ["fine.assessed"],
            [t.kind for t in notifications if t.card == card],
        ),
    ]


async def return_found(run: Run, step: Step) -> list[Check]:
    """Return a lost copy: there is no new fine, and its price is credited."""
    barcode, card = step["barcode"], step["card"]
    body = {"barcodes": [barcode], "branch": step["branch"], "channel": step["channel"]}
    [result] = (await run.api.post("/v1/returns", body, by="staff"))["results"]
    checks = [Check(f"{barcode} charged", (True, None), (result["ok"], result.get("charge")))]
    notifications = await expect_notifications(run, "fine.adjusted", {card: 1})
    expected = step["expect"]
    charges = {kind: await charge_of(run, barcode, kind) for kind in expected["charges"]}
    price = charges["lost"]
    return [
        *checks,
        Check(
            f"{barcode} is charged now",
            expected["charges"],
            {kind: charge["amount_cents"] for kind, charge in charges.items()},
        ),
        Check("refund due", expected["refund_due_cents"], price["refund_due_cents"]),
        Check(
            "notified of the refund due",
            True,
            all_state_amount(notifications, expected["refund_due_cents"]),
        ),
    ]


async def pay(run: Run, step: Step) -> list[Check]:
    """Pay everything that a patron owes, and check payment and notifications."""
    card = step["card"]
    owed = [c["id"] for c in await _charges(run, card) if c["outstanding_cents"]]
    payment = await run.api.post("/v1/payments", {"charge_ids": owed}, by=card)
    notifications = await expect_notifications(run, "fine.paid", {card: 1})
    overview = await run.api.get("/v1/me", by=card)
    return [
        Check("paid", (step["cents"], "paid"), (payment["amount_cents"], payment["state"])),
        Check("notified of the payment", True, all_state_amount(notifications, step["cents"])),
        Check("nothing is owed", 0, overview["totals"]["outstanding_cents"]),
    ]


async def refund(run: Run, step: Step) -> list[Check]:
    """Give back what is due for a charge, and check the notification."""
    charge = await charge_of(run, step["barcode"], step["kind"])
    given = await run.api.post(f"/v1/charges/{charge['id']}/refund", by="staff")
    notifications = await expect_notifications(run, "fine.adjusted", {step["card"]: 1})
    left = (await charge_of(run, step["barcode"], step["kind"]))["refund_due_cents"]
    found = (given["amount_cents"], given["state"])
    return [
        Check("refunded", (step["cents"], "given"), found),
        Check("refund due", 0, left),
        Check("notified of the refund", True, all_state_amount(notifications, step["cents"])),
    ]


async def ask_statement(run: Run, step: Step) -> list[Check]:
    """Check the statement of a fine as its patron reads it: every day, with its cause."""
    barcode, expected = step["barcode"], step["expect"]
    charge = await charge_of(run, barcode, "fine")
    statement = await run.api.get(f"/v1/charges/{charge['id']}/statement", by=step["card"])
    causes = [
        {"kind": span["cause"]["kind"], "reason": span["cause"]["reason"]}
        for span in statement["spans"]
        if span["disposition"] != "charged"
    ]
    return [
        Check(f"{barcode} fine", expected["fine_cents"], statement["amount_cents"]),
        *statement_checks(barcode, expected, statement, due=True),
        Check(f"{barcode} causes of free days", expected["causes"], causes),
    ]


async def charge_of(run: Run, barcode: str, kind: str) -> dict[str, Any]:
    """Return the charge of a kind on the latest loan of a copy."""
    loan = run.loans[barcode]["id"]
    charges = await _charges(run, run.borrowers[loan])
    return next(c for c in charges if c["loan_id"] == loan and c["kind"] == kind)


async def _charges(run: Run, card: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await run.api.get("/v1/me/charges?limit=200", by=card))["items"]
    return found


def statement_checks(
    barcode: str, expected: dict[str, Any], statement: dict[str, Any], *, due: bool
) -> list[Check]:
    """Check the days charged of a statement, with `due` the day counted from, and its spans."""
    checks = [Check(f"{barcode} days charged", expected["charged_days"], statement["charged_days"])]
    if due:
        checks.append(Check(f"{barcode} counted from", expected["due_on"], statement["due_on"]))
    if "spans" in expected:
        fields = ("from", "to", "days", "disposition")
        found = [
            {**{name: span[name] for name in fields}, "cents": span["amount_cents"]}
            for span in statement["spans"]
        ]
        checks.append(Check(f"{barcode} statement", expected["spans"], found))
    return checks
