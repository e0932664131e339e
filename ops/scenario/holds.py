"""Steps about holds: placing, fetching and cancelling, and the patrons notified of copies."""

from ops.scenario.definition import Step
from ops.scenario.inboxes import Notification, check_nobody_notified, new_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run

HOLD_KINDS = ("hold.ready", "hold.changed")
"""Notifications that a close, reopen, return or fetch step lists as `ready` and `kept`."""


async def place_hold(run: Run, step: Step) -> list[Check]:
    """Place a hold, and check its place in the queue."""
    card, title = step["card"], step["title"]
    body = {"title_id": run.titles[title], "pickup_branch": step["branch"]}
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
