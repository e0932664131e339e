"""Steps about linked cards."""

from ops.scenario.definition import Step
from ops.scenario.inboxes import new_notifications
from ops.scenario.report import Check
from ops.scenario.run import Run

_INVITATIONS = "/v1/me/family-invitations"


async def link_cards(run: Run, step: Step) -> list[Check]:
    """Link the cards of two patrons; the first sees the loans of the second until they end it."""
    first, second = step["cards"]
    sent, unknown = [
        await run.api.post(_INVITATIONS, {"card_number": card}, by=first)
        for card in (second, step["unknown_card"])
    ]
    await run.api.post("/v1/ops/jobs/accounts/invitations", by="ops")
    await run.flow.settle()
    accepted = f"{_INVITATIONS}/{sent['id']}/acceptance"
    link = await run.api.post(accepted, by=second)
    await run.flow.settle()
    own = await run.api.get("/v1/me", by=second)
    path = f"/v1/me/family/{own['patron']['id']}"
    shown = await run.api.get(f"{path}/account", by=first)
    await run.api.call("DELETE", f"/v1/me/family/{link['patron_id']}", by=second)
    _, hidden = await run.api.call("GET", f"{path}/account", by=first, expect=404)
    await run.flow.settle()
    told = [(one.card, one.kind) for one in await new_notifications(run)]
    return [
        Check("the answer about an unknown card", sorted(sent), sorted(unknown)),
        Check(
            "the loans that are shown", [one["id"] for one in own["loans"]], _ids(shown, "loans")
        ),
        Check(
            "the holds that are shown", [one["id"] for one in own["holds"]], _ids(shown, "holds")
        ),
        Check("nothing else is shown", {"patron_id", "loans", "holds"}, set(shown)),
        Check("after the end", "not-linked", hidden["code"]),
        Check(
            "notified",
            sorted(
                [
                    (first, "patron.linked"),
                    (first, "patron.unlinked"),
                    (second, "patron.invited"),
                    (second, "patron.linked"),
                ]
            ),
            sorted(told),
        ),
    ]


def _ids(shown: Step, kind: str) -> list[str]:
    return [one["id"] for one in shown[kind]]
