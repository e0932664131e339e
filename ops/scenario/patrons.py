"""Steps of patrons and visitors: accounts, linked cards, questions, visits, what is expected."""

from typing import Any

from ops.scenario.definition import Check, Step
from ops.scenario.run import Run, expect_notifications, new_notifications


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


async def expire_card(run: Run, step: Step) -> list[Check]:
    """Let a card expire on a day, and run the job that warns of it twice: one warning is given."""
    patron = (await run.api.get("/v1/me", by=step["card"]))["patron"]
    await run.api.call(
        "PUT", f"/v1/card-terms/{patron['category']}", {"valid_months": step["months"]}, by="staff"
    )
    ends = {"card_expires_on": step["expires_on"]}
    await run.api.call("PATCH", f"/v1/patrons/{patron['id']}", ends, by="staff")
    for _ in range(2):
        await run.api.post("/v1/ops/jobs/accounts/cards", by="ops")
    await expect_notifications(run, "patron.card-expiring", {step["card"]: 1})
    shown = await run.api.get("/v1/me", by=step["card"])
    return [Check("in the account", step["expires_on"], shown["patron"]["card_expires_on"])]


async def renew_card(run: Run, step: Step) -> list[Check]:
    """Try to reserve with an expired card, then renew it as its patron."""
    card = step["card"]
    wanted = {"title_id": run.titles[step["title"]], "pickup_branch": step["branch"]}
    _, refused = await run.api.call("POST", "/v1/holds", wanted, by=card, expect=409)
    renewed = await run.api.post("/v1/me/card/renewal", {"address_unchanged": True}, by=card)
    await expect_notifications(run, "patron.card-renewed", {card: 1})
    shown = await run.api.get("/v1/me", by=card)
    return [
        Check("before", "card-expired", refused["code"]),
        Check("after", step["until"], renewed["card_expires_on"]),
        Check("in the account", step["until"], shown["patron"]["card_expires_on"]),
    ]


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


async def check_expectations(run: Run, step: Step) -> list[Check]:
    """Check accounts, library information, branches and debts as the step lists them."""
    checks: list[Check] = []
    if view := step.get("view"):
        checks += await _view_checks(run, view)
    for info in step.get("my_info", ()):
        checks += await _info_checks(run, info)
    for branch in step.get("branch", ()):
        checks += await _branch_checks(run, branch)
    for row in step.get("outstanding", ()):
        overview = await run.api.get("/v1/me", by=row["card"])
        found = overview["totals"]["outstanding_cents"]
        checks.append(Check(f"{row['card']} owes", row["cents"], found))
    return checks


async def _view_checks(run: Run, view: dict[str, Any]) -> list[Check]:
    overview = await run.api.get("/v1/me", by=view["card"])
    checks = []
    if "loans" in view:
        fields = sorted({name for row in view["loans"] for name in row})
        found = [
            {name: loan[name] for name in fields if name in loan} for loan in overview["loans"]
        ]
        by_barcode = sorted(view["loans"], key=lambda row: row["barcode"])
        checks.append(Check("loans", by_barcode, sorted(found, key=lambda row: row["barcode"])))
    checks += [
        Check(name.replace("_", " "), view[name], overview["totals"][name])
        for name in ("outstanding_cents", "accruing_cents")
        if name in view
    ]
    return checks


async def _info_checks(run: Run, info: dict[str, Any]) -> list[Check]:
    found = await run.api.get("/v1/me/info", by=info["card"])
    card = info["card"]
    if info.get("empty"):
        tables = [found["activities"], found["library_information"]]
        return [Check(f"{card}: both tables are empty", [[], []], tables)]
    names = {branch["code"]: branch["name"] for branch in run.scenario["branches"]}
    titles = {activity["key"]: activity["title"] for activity in run.scenario["activities"]}
    shown = {row["title"] for row in found["activities"]}
    libraries = {row["library"] for row in found["library_information"]}
    return [
        Check(
            f"{card}: activities",
            (sorted(titles[key] for key in info["activities"]), []),
            (
                sorted(titles[key] for key in info["activities"] if titles[key] in shown),
                [titles[key] for key in info["without_activities"] if titles[key] in shown],
            ),
        ),
        Check(
            f"{card}: libraries",
            (sorted(names[code] for code in info["libraries"]), []),
            (
                sorted(names[code] for code in info["libraries"] if names[code] in libraries),
                [names[code] for code in info["without_libraries"] if names[code] in libraries],
            ),
        ),
    ]


async def _branch_checks(run: Run, expected: dict[str, Any]) -> list[Check]:
    code, day = expected["code"], expected["day"]
    found = await run.api.get(f"/v1/branches/{code}?on={day}")
    return [
        Check(f"{code} on {day}: {name}", value, _comparable(name, found))
        for name, value in expected.items()
        if name not in ("code", "day")
    ]


def _comparable(name: str, found: dict[str, Any]) -> Any:
    """Return the part of a branch that an expectation is about; hours as `10:00-19:00`."""
    if name == "hours":
        return ", ".join(f"{hours['opens']}-{hours['closes']}" for hours in found["hours"])
    return found.get(name)
