"""Steps about Ask a Librarian: a patron's question, and its answer."""

from ops.scenario.definition import Step
from ops.scenario.inboxes import expect_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run


async def ask_librarian(run: Run, step: Step) -> list[Check]:
    """Ask a question, and check that staff find it in the queue of new questions."""
    body = {"subject": step["subject"], "text": step["text"], "branch": step.get("branch")}
    asked = await run.api.post("/v1/enquiries", body, by=step["card"])
    run.enquiries[step["subject"]] = asked["id"]
    await run.flow.settle()
    queue = await run.api.get("/v1/enquiries?queue=new", by="staff")
    account = await run.api.get("/v1/me", by=step["card"])
    return [
        Check("in the queue", [asked["id"]], [one["id"] for one in queue["items"]]),
        Check("in the account", ["new"], [one["state"] for one in account["enquiries"]]),
    ]


async def answer_enquiry(run: Run, step: Step) -> list[Check]:
    """Answer a question, and check that its patron is notified and finds the answer."""
    path = f"/v1/enquiries/{run.enquiries[step['subject']]}"
    enquiry = await run.api.get(path, by="staff")
    body = {"text": step["text"], "seen": enquiry["version"]}
    await run.api.post(f"{path}/answers", body, by="staff")
    [notification] = await expect_notifications(run, "enquiry.answered", {step["card"]: 1})
    answered = await run.api.get(path, by=step["card"])
    return [
        Check("the notification names it", True, step["subject"] in notification.text),
        Check("the answer", step["text"], answered["thread"][-1]["text"]),
        Check("the librarian's name", None, answered["thread"][-1]["author"]),
    ]
