"""Steps about loans: check-outs, returns and renewals, with their fines."""

from typing import Any

from ops.scenario.charges import statement_checks
from ops.scenario.definition import Step
from ops.scenario.holds import hold_checks
from ops.scenario.inboxes import expect_notifications, new_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run
from shared.contracts.event import dollars


async def check_out(run: Run, step: Step) -> list[Check]:
    """Check copies out, and check due dates, refusals, fees and the patron's account."""
    answer = await run.api.post(
        "/v1/checkouts",
        {"card_number": step["card"], "barcodes": step["barcodes"], "branch": step["branch"]},
        by=step.get("by", "staff"),
    )
    checks = []
    for expected, result in zip(step["expect"], answer["results"], strict=True):
        barcode = result["barcode"]
        if result["ok"]:
            run.loans[barcode] = result["loan"]
            run.borrowers[result["loan"]["id"]] = step["card"]
        found = {"barcode": barcode} | (
            {"due_on": result["loan"]["due_on"]}
            if result["ok"]
            else {"refused": result["problem"]["code"]}
        )
        terms = {name: value for name, value in expected.items() if name != "fee_cents"}
        checks.append(Check(f"{barcode} lent", terms, found))
    view = await run.api.get("/v1/me", by=step["card"])
    lent = {loan["barcode"] for loan in view["loans"]}
    wanted = {row["barcode"] for row in step["expect"] if "due_on" in row}
    checks.append(Check("the patron sees it at once", sorted(wanted), sorted(wanted & lent)))
    if fees := [row["fee_cents"] for row in step["expect"] if "fee_cents" in row]:
        [notification] = await expect_notifications(run, "fine.assessed", {step["card"]: 1})
        checks.append(
            Check("notified of the fee", sum(fees), notification.about.get("amount_cents"))
        )
    return checks


async def return_copies(run: Run, step: Step) -> list[Check]:
    """Return copies, and check the fine and statement of each."""
    body = {name: step[name] for name in ("barcodes", "branch", "channel")}
    if back_dated := step.get("back_dated_to"):
        body["at"] = back_dated
    answer = await run.api.post("/v1/returns", body, by=step.get("by", "staff"))
    checks = []
    for expected, result in zip(step["expect"], answer["results"], strict=True):
        if not result["ok"]:
            checks.append(Check(f"{result['barcode']} returned", "ok", result["problem"]))
            continue
        checks += await _return_checks(run, expected, result)
    if "ready" in step:
        await run.flow.settle()
        checks += hold_checks(step, await new_notifications(run))
    return checks


async def renew(run: Run, step: Step) -> list[Check]:
    """Renew a loan, and check its due date and its fine so far."""
    barcode = step["barcode"]
    loan = run.loans[barcode]
    answer = await run.api.post(f"/v1/loans/{loan['id']}/renewals", by=step["card"])
    renewed = answer.get("loan", answer)
    run.loans[barcode] = renewed
    [expected] = step["expect"]
    checks = [
        Check(f"{barcode} renewed until", expected["due_on"], renewed["due_on"]),
        Check(f"{barcode} has a reference", True, bool(answer.get("reference"))),
    ]
    charge = answer.get("charge")
    found = charge["amount_cents"] if charge else 0
    checks.append(Check(f"{barcode} fine so far", expected.get("fine_cents", 0), found))
    if charge:
        assessed = await run.api.get(f"/v1/charges/{charge['id']}", by=step["card"])
        checks += statement_checks(barcode, expected, assessed["statement"], due=False)
        checks += await _notification_checks(run, barcode, step["card"], found)
    return checks


async def _return_checks(run: Run, expected: dict[str, Any], result: dict[str, Any]) -> list[Check]:
    """Check a return: its fine, the statement as its patron reads it, and the notification."""
    barcode = result["barcode"]
    run.loans[barcode] = result["loan"]
    charge = result.get("charge")
    owed = charge["amount_cents"] if charge else 0
    card = run.borrowers[result["loan"]["id"]]
    statement = await run.api.get(f"/v1/loans/{result['loan']['id']}/fine-statement", by=card)
    checks = [Check(f"{barcode} charged", expected["fine_cents"], owed)]
    checks += statement_checks(barcode, expected, statement, due=True)
    if owed:
        checks += await _notification_checks(run, barcode, card, owed)
    return checks


async def _notification_checks(run: Run, barcode: str, card: str, owed: int) -> list[Check]:
    """Check that the patron is notified of a fine with the charged amount."""
    [notification] = await expect_notifications(run, "fine.assessed", {card: 1})
    return [
        Check(f"{barcode} notified", owed, notification.about.get("amount_cents")),
        Check(f"{barcode} amount is in the text", True, dollars(owed) in notification.text),
    ]
