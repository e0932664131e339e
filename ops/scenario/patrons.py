"""Steps about patrons' accounts."""

from ops.scenario.definition import Step
from ops.scenario.report import Check
from ops.scenario.run import Run


async def erase(run: Run, step: Step) -> list[Check]:
    """Try to erase a patron who still has to settle something, and check that nothing changes."""
    patron = (await run.api.get("/v1/me", by=step["card"]))["patron"]["id"]
    path = f"/v1/patrons/{patron}"
    status, answer = await run.api.call("DELETE", path, by="staff", expect=409)
    left = await run.api.get(path, by="staff")
    return [
        Check("refused", (409, "not-settled"), (status, answer.get("code"))),
        Check("still open", step["expect"], {name: answer.get(name) for name in step["expect"]}),
        Check("the patron is still there", step["card"], left["card_number"]),
    ]
