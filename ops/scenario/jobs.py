"""Steps that run a scheduled job at once, with the notifications that it causes."""

from typing import Any

from ops.scenario.charges import charge_of
from ops.scenario.definition import Step
from ops.scenario.inboxes import Notification, all_state_amount, barcode_of, new_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run
from shared.contracts.event import dollars


async def run_job(run: Run, step: Step) -> list[Check]:
    """Run a job at once, and check the notifications that it causes."""
    await run.api.post(f"/v1/ops/jobs/{step['job']}", by="ops")
    await run.flow.settle()
    notifications = await new_notifications(run)
    expected = step.get("expect", {})
    match step["job"]:
        case "circulation/overdue":
            return _overdue_checks(run, expected, notifications)
        case "events/releases":
            return [
                Check(
                    "notified of the recording",
                    expected["notified"],
                    [t.card for t in notifications],
                ),
                Check(
                    "no other notification", {"recording.released"}, {t.kind for t in notifications}
                ),
            ]
        case "circulation/rework-fines":
            return await _lowered_checks(run, expected, notifications)
        case _:
            return await _resumed_checks(run, expected, notifications)


def _overdue_checks(
    run: Run, expected: dict[str, Any], notifications: list[Notification]
) -> list[Check]:
    found = {
        barcode_of(run, t): t.about.get("amount_cents")
        for t in notifications
        if t.kind == "loan.overdue"
    }
    first = {row["barcode"]: row["cents"] for row in expected["first"]}
    again = {row["barcode"]: row["cents"] for row in expected["again"]}
    checks = [
        Check(
            "overdue for the first time", first, {b: found.get(b, "not notified") for b in first}
        ),
        Check(
            "notified again, if at all, with the same amount",
            {},
            {
                b: cents
                for b, cents in found.items()
                if b not in first and again.get(b, "") != cents
            },
        ),
        Check(
            "no other notification", [], [t.kind for t in notifications if t.kind != "loan.overdue"]
        ),
    ]
    for t in notifications:
        cents = (first | again).get(barcode_of(run, t), "nobody")
        stated = isinstance(cents, int) and dollars(cents) in t.text
        checks.append(
            Check(f"{barcode_of(run, t)} states the amount", isinstance(cents, int), stated)
        )
    return checks


async def _lowered_checks(
    run: Run, expected: dict[str, Any], notifications: list[Notification]
) -> list[Check]:
    checks = []
    for row in expected["lowered"]:
        charge = await charge_of(run, row["barcode"], "fine")
        checks.append(Check(f"{row['barcode']} fine", row["cents"], charge["amount_cents"]))
        named = all_state_amount([t for t in notifications if t.card == row["card"]], row["cents"])
        checks.append(Check(f"{row['card']} notified", True, named))
    kinds = ["fine.adjusted"] * len(expected["lowered"])
    return [*checks, Check("no other notification", kinds, [t.kind for t in notifications])]


async def _resumed_checks(
    run: Run, expected: dict[str, Any], notifications: list[Notification]
) -> list[Check]:
    kinds = {"fines.resumed"} if expected["accruing"] else set()
    checks = [Check("notified", kinds, {t.kind for t in notifications})]
    for row in expected["accruing"]:
        view = await run.api.get("/v1/me", by=row["card"])
        loan = run.loans[row["barcode"]]["id"]
        accruing = {a["loan_id"]: a["amount_cents"] for a in view["accruing"]}
        checks.append(Check(f"{row['barcode']} accrues", row["cents"], accruing.get(loan)))
        checks.append(
            Check(f"{row['card']} notified", True, row["card"] in {t.card for t in notifications})
        )
    return checks
