"""Steps about activities: their publication, registrations, attendance and recordings."""

from datetime import datetime
from typing import Any

from ops.scenario.definition import Step
from ops.scenario.report import Check
from ops.scenario.run import Run


async def publish_activity(run: Run, step: Step) -> list[Check]:
    """Publish an activity, with its recording if it has one."""
    [activity] = [a for a in run.scenario["activities"] if a["key"] == step["activity"]]
    fields = {name: value for name, value in activity.items() if name != "key"}
    if recording := fields.pop("recording", None):
        fields["recording"] = {
            "url": recording["address"],
            "available_from": recording["available_from"],
        }
    answer = await run.api.post("/v1/activities", fields, by="staff")
    run.activities[step["activity"]] = answer["id"]
    await run.flow.settle()
    return []


async def register_for_activity(run: Run, step: Step) -> list[Check]:
    """Register patrons for an activity that has a place for each of them."""
    path = f"/v1/activities/{run.activities[step['activity']]}/registration"
    states = [(await run.api.post(path, by=card))["state"] for card in step["cards"]]
    await run.flow.settle()
    return [Check("have places", ["confirmed"] * len(step["cards"]), states)]


async def record_attendance(run: Run, step: Step) -> list[Check]:
    """Record that the holders of these cards came to an activity."""
    path = f"/v1/activities/{run.activities[step['activity']]}/attendance"
    for card in step["cards"]:
        [patron] = (await run.api.get(f"/v1/patrons?card={card}", by="staff"))["items"]
        await run.api.post(path, {"patron_id": patron["id"]}, by="staff")
    await run.flow.settle()
    found = await run.api.get(path, by="staff")
    return [Check("attended", len(step["cards"]), found["attended"])]


async def ask_recording(run: Run, step: Step) -> list[Check]:
    """Ask for a recording as a patron, and check the answer."""
    activity = run.activities[step["activity"]]
    status, answer = await run.api.call(
        "GET", f"/v1/activities/{activity}/recording", by=step["card"], expect=0
    )
    found: dict[str, Any] = {"status": status}
    if status == 200:
        found["address"] = answer["url"]
    else:
        found["code"] = answer["code"]
        found["available_from"] = answer.get("available_from")
    expected = dict(step["expect"])
    for side in (expected, found):
        if side.get("available_from"):
            side["available_from"] = datetime.fromisoformat(side["available_from"]).timestamp()
    return [Check("recording", expected, found)]
