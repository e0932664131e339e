"""Steps about visitors: people counted at a door, a check-in by phone, and a visit traced."""

from ops.scenario.definition import Step
from ops.scenario.report import Check
from ops.scenario.run import Run


async def check_in(run: Run, step: Step) -> list[Check]:
    """Count people at a door, then check a visitor in with the code at the door."""
    branch = step["branch"]
    venue = (await run.api.post(f"/v1/branches/{branch}/venue", by="staff"))["venue"]
    count = {"door": step["door"], "entered": step["counted"]}
    await run.api.post(f"/v1/branches/{branch}/counts", count, by="staff")
    visitor = {"name": step["name"], "phone": step["phone"], "venue": venue}
    _, visit = await run.api.call("POST", "/v1/visits", visitor)
    run.visits[step["name"]] = visit["id"]
    await run.flow.settle()
    now = await run.api.get(f"/v1/branches/{branch}/occupancy")
    return [
        Check("people inside", step["counted"] + 1, now["inside"]),
        Check("the answer names the visitor", False, step["name"] in str(visit)),
    ]


async def check_out(run: Run, step: Step) -> list[Check]:
    """Check a visitor out by phone."""
    visit = {"visit": run.visits[step["name"]]}
    _, left = await run.api.call("POST", "/v1/visits/leavings", visit)
    now = await run.api.get(f"/v1/branches/{left['branch']}/occupancy")
    return [Check("people inside", step["inside"], now["inside"])]


async def trace_visits(run: Run, step: Step) -> list[Check]:
    """Look for the visitors of a case, and check that only a tracer can and the look is known."""
    fields = ("branch", "start", "until", "case_number", "reason")
    body = {name: step[name] for name in fields}
    refused, _ = await run.api.call("POST", "/v1/tracings", body, by="staff", expect=403)
    seen = await run.api.post("/v1/tracings", body, by="tracer")
    looks = (await run.api.get("/v1/tracings", by="ops"))["items"]
    return [
        Check("librarians are refused", 403, refused),
        Check("visitors", step["visitors"], [one["name"] for one in seen["visits"]]),
        Check("the overseer sees the look", step["case_number"], looks[0]["case_number"]),
    ]


async def destroy_visits(run: Run, step: Step) -> list[Check]:
    """Run the job that destroys visits after 31 days, and check that nothing can be traced."""
    await run.api.post("/v1/ops/jobs/notices/purge-visits", by="ops")
    fields = ("branch", "start", "until", "case_number", "reason")
    seen = await run.api.post("/v1/tracings", {n: step[n] for n in fields}, by="tracer")
    return [Check("visitors", [], seen["visits"])]
