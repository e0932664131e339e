"""Steps about branches: closures, reopenings, fine suspensions, notices, and their messages."""

from collections import Counter
from typing import Any

from ops.scenario.definition import WEEKDAYS, Check, Step, weekly
from ops.scenario.loans import HOLD_KINDS, hold_checks
from ops.scenario.run import Run, check_nobody_notified, new_notifications


async def set_ready_delay(run: Run, step: Step) -> list[Check]:
    """Set the minutes until patrons of a library are told that an item is ready."""
    path = f"/v1/branches/{step['branch']}/ready-delay"
    body = {"minutes": step["minutes"]}
    answer = (await run.api.call("PUT", path, body, by="staff"))[1]
    return [Check("minutes", step["minutes"], answer["minutes"])]


async def set_wording(run: Run, step: Step) -> list[Check]:
    """Add a closing paragraph to a kind of notification in one language."""
    path = f"/v1/wordings/{step['kind']}/{step['language']}"
    before = await run.api.get(path, by="staff")
    body = {"closing": step["closing"], "seen": before["version"]}
    answer = (await run.api.call("PUT", path, body, by="staff"))[1]
    return [Check("closing", step["closing"], answer["texts"]["closing"])]


async def close(run: Run, step: Step) -> list[Check]:
    """Record a closure, and check its branches and the patrons notified of holds."""
    fields = ("branches", "kinds", "from", "reopened_on", "reason")
    body = {name: step[name] for name in fields if name in step}
    answer = await run.api.post("/v1/closures", body, by="staff")
    run.closures[step["as"]] = answer["id"]
    covered = [code for code, kind in run.kinds.items() if kind in step.get("kinds", ())]
    covered += step.get("branches", ())
    await run.flow.settle()
    notifications = await new_notifications(run)
    return [
        Check("branches closed", sorted(covered), sorted(answer["branches"])),
        *hold_checks(step, notifications),
        Check(
            "no other notification", [], [t.kind for t in notifications if t.kind not in HOLD_KINDS]
        ),
    ]


async def reopen(run: Run, step: Step) -> list[Check]:
    """Announce a reopening, and check moved due dates and the notifications."""
    fields = ("branches", "kinds", "reopened_on", "services", "capacity", "measures")
    body = {name: step[name] for name in fields if name in step}
    if "hours" in step:
        body["hours"] = weekly(run.scenario["special_hours"][step["hours"]])
    closure = run.closures[step["closure"]]
    await run.api.post(f"/v1/closures/{closure}/reopening", body, by="staff")
    await run.flow.settle()
    expected = step["expect"]
    moved = Counter(row["card"] for row in expected["due_moved"])
    followers = Counter(expected["followers_notified"])
    notifications = await new_notifications(run)
    checks = [
        Check(
            "notified that a due date moved",
            sorted(moved.elements()),
            sorted(t.card for t in notifications if t.kind == "loan.due-date-changed"),
        ),
        Check(
            "followers notified",
            sorted(followers),
            sorted({t.card for t in notifications if t.kind == "branch.reopened"}),
        ),
        Check(
            "no other notification",
            [],
            [
                t.kind
                for t in notifications
                if t.kind not in ("loan.due-date-changed", "branch.reopened", *HOLD_KINDS)
            ],
        ),
        *hold_checks(step, notifications),
    ]
    for row in expected["due_moved"]:
        view = await run.api.get("/v1/me", by=row["card"])
        due = {loan["barcode"]: loan["due_on"] for loan in view["loans"]}
        checks.append(Check(f"{row['barcode']} due", row["to"], due.get(row["barcode"])))
    return checks


async def set_service_hours(run: Run, step: Step) -> list[Check]:
    """Set the usual hours of a service and those of a period, and check what visitors see then."""
    path = f"/v1/branches/{step['branch']}"
    period = step["period"]
    usual = {"hours": _daily(step["hours"])}
    other = {
        "until": period["until"],
        "reason": period["reason"],
        "hours": _daily(period["hours"]),
    }
    service = f"{path}/services/{step['service']}"
    await run.api.call("PUT", service, usual, by="staff")
    await run.api.call("PUT", f"{service}/periods/{period['from']}", other, by="staff")
    await run.flow.settle()
    shown = {}
    for day in (period["from"], period["after"]):
        found = await run.api.get(f"{path}?on={day}")
        [hours] = [one["hours"] for one in found["service_hours"]]
        shown[day] = ", ".join(f"{one['opens']}-{one['closes']}" for one in hours)
    return [
        Check("hours in the period", period["hours"], shown[period["from"]]),
        Check("hours after it", step["hours"], shown[period["after"]]),
        *await check_nobody_notified(run),
    ]


def _daily(span: str) -> list[dict[str, Any]]:
    """Return hours that are the same each day, such as `09:00-21:00`, in the API's form."""
    return weekly(dict.fromkeys(WEEKDAYS, span))


async def preview_closure(run: Run, step: Step) -> list[Check]:
    """Preview a closure, and check that nothing has changed."""
    fields = ("branches", "from", "reopened_on", "reason")
    body = {name: step[name] for name in fields}
    answer = await run.api.post("/v1/closures?preview=true", body, by="staff")
    listed = await run.api.get(f"/v1/closures?branch={step['branches'][0]}", by="staff")
    reasons = [closure["reason"] for closure in listed["items"]]
    found = {name: answer["lending"][name] for name in step["expect"]}
    return [
        Check("would change", step["expect"], found),
        Check("nothing has changed", False, step["reason"] in reasons),
        *await check_nobody_notified(run),
    ]


async def suspend_fines(run: Run, step: Step) -> list[Check]:
    """Suspend fines, and check that borrowers are notified."""
    fields = ("branches", "kinds", "starts_on", "resumes_on", "reason")
    body = {name: step[name] for name in fields if name in step}
    answer = await run.api.post("/v1/fine-suspensions", body, by="staff")
    run.suspensions[step["as"]] = {**step, "id": answer["id"]}
    await run.flow.settle()
    return await _check_borrowers_notified(run, step, "fines.suspended")


async def announce_resumption(run: Run, step: Step) -> list[Check]:
    """Announce the end of a fine suspension, and check that borrowers are notified."""
    suspension = run.suspensions[step["suspension"]]
    suspension["resumes_on"] = step["resumes_on"]
    await run.api.call(
        "PATCH",
        f"/v1/fine-suspensions/{suspension['id']}",
        {"resumes_on": step["resumes_on"]},
        by="staff",
    )
    await run.flow.settle()
    return await _check_borrowers_notified(run, suspension, "fines.suspended")


async def publish_notice(run: Run, step: Step) -> list[Check]:
    """Publish a notice, and check that no patron is notified."""
    fields = ("branches", "kinds", "title", "content")
    body = {name: step[name] for name in fields if name in step}
    await run.api.post("/v1/notices", body, by="staff")
    await run.flow.settle()
    return await check_nobody_notified(run)


async def _check_borrowers_notified(run: Run, suspension: dict[str, Any], kind: str) -> list[Check]:
    """Check that each borrower of a branch in scope is notified once, without an amount."""
    concerned = {
        run.borrowers[loan["id"]]
        for loan in run.loans.values()
        if loan["state"] == "open" and run.kinds[loan["branch"]] in suspension.get("kinds", ())
    }
    notifications = await new_notifications(run)
    return [
        Check("borrowers notified", sorted(concerned), sorted(t.card for t in notifications)),
        Check(
            "no other notification",
            {kind} if notifications else set(),
            {t.kind for t in notifications},
        ),
        Check(
            "notified when fines are counted again",
            {suspension["resumes_on"]} if notifications else set(),
            {t.about.get("resumes_on") for t in notifications},
        ),
    ]
