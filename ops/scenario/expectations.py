"""Steps that change nothing: the account, library information and branches as expected."""

from typing import Any

from ops.scenario.definition import Step
from ops.scenario.report import Check
from ops.scenario.run import Run


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
