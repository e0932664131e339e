"""Steps about lending: loans, holds, charges, and the scheduled jobs about them."""

from typing import Any

from ops.scenario.definition import Check, Step
from ops.scenario.run import (
    Notification,
    Run,
    all_state_amount,
    barcode_of,
    check_nobody_notified,
    expect_notifications,
    new_notifications,
)
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


HOLD_KINDS = ("hold.ready", "hold.changed")
"""Notifications that a close, reopen, return or fetch step lists as `ready` and `kept`."""


async def place_hold(run: Run, step: Step) -> list[Check]:
    """Place a hold on a title or a volume, and check its place in the queue."""
    card, title = step["card"], step["title"]
    body = {"title_id": run.titles[title], "pickup_branch": step["branch"]}
    body |= {"volume": step["volume"]} if "volume" in step else {}
    hold = await run.api.post("/v1/holds", body, by=card)
    run.holds[card, title] = hold["id"]
    await run.flow.settle()
    found = {"state": hold["state"], "position": hold["position"]}
    return [Check(f"{card} waits", step["expect"], found), *await check_nobody_notified(run)]


async def fetch(run: Run, step: Step) -> list[Check]:
    """Scan everything on the fetch list of a library, as its staff do.

    With `told_at`, nobody is notified before that time; `says` is a part of each notification.
    """
    barcodes, branch = step["barcodes"], step["branch"]
    listed = await run.api.get(f"/v1/holds/to-fetch/{branch}?limit=200", by="staff")
    body = {"barcodes": barcodes, "branch": branch, "channel": "desk"}
    scanned = await run.api.post("/v1/returns", body, by="staff")
    await run.flow.settle()
    checks = [
        Check("to fetch", sorted(barcodes), sorted(one["barcode"] for one in listed["items"])),
        Check("scanned", [], [one["barcode"] for one in scanned["results"] if not one["ok"]]),
    ]
    if "told_at" in step:
        checks += await check_nobody_notified(run)
        run.api.now = step["told_at"]
        await run.api.post("/v1/ops/jobs/notices/tell-held", by="ops")
        await run.flow.settle()
    notifications = await new_notifications(run)
    if "says" in step:
        said = all(step["says"] in one.text for one in notifications)
        checks.append(Check("the words of the staff", True, said))
    return [*checks, *hold_checks(step, notifications)]


async def cancel_hold(run: Run, step: Step) -> list[Check]:
    """Cancel a hold, and check that nobody is notified."""
    hold = run.holds[step["card"], step["title"]]
    answer = (await run.api.call("DELETE", f"/v1/holds/{hold}", by=step["card"]))[1]
    await run.flow.settle()
    state = Check(f"{step['card']} waits no longer", "cancelled", answer["state"])
    return [state, *await check_nobody_notified(run)]


def hold_checks(step: Step, notifications: list[Notification]) -> list[Check]:
    """Check that exactly these patrons are notified of a ready copy, or of another last day."""
    checks = []
    for name, kind in (("ready", "hold.ready"), ("kept", "hold.changed")):
        expected = {row["card"]: row["until"] for row in step.get(name, ())}
        found = {t.card: t.about.get("shelf_until") for t in notifications if t.kind == kind}
        if expected or found:
            checks.append(Check(f"a copy is {name}, until", expected, found))
    return checks


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
