"""The first steps of a scenario: callers, branches, patrons, titles and preferences."""

import asyncio
from typing import Any

from ops.direct import add_account
from ops.scenario.definition import Check, Step, opening_hours
from ops.scenario.run import Run
from services.accounts.settings import Settings


async def log_in_callers(run: Run, settings: Settings) -> None:
    """Create the accounts of the callers in the database, and log all in.

    Through the API each of them would choose a PIN with a code from an e-mail.
    """
    run.api.now = run.scenario["steps"][0]["at"]
    for who in run.scenario["callers"]:
        await add_account(settings, who["card_number"], who["pin"], who["name"], who["role"])
        await run.api.log_in(who["role"], who["card_number"], who["pin"])


async def register_branches(run: Run, _: Step) -> list[Check]:
    """Register every branch with the hours of its kind."""
    hours = opening_hours(run.scenario)
    await asyncio.gather(
        *(
            run.api.post("/v1/branches", {**branch, "hours": hours[branch["kind"]]}, by="staff")
            for branch in run.scenario["branches"]
        )
    )
    await run.flow.settle()
    listed = await run.api.get("/v1/branches?limit=200")
    return [Check("branches", len(run.scenario["branches"]), len(listed["items"]))]


async def register_patrons(run: Run, _: Step) -> list[Check]:
    """Register every patron and log them in."""

    async def register(patron: dict[str, Any]) -> None:
        fields = {name: value for name, value in patron.items() if name != "story"}
        await run.api.post("/v1/patrons", fields, by="staff")
        await run.api.log_in(patron["card_number"], patron["card_number"], patron["pin"])

    await asyncio.gather(*(register(patron) for patron in run.scenario["patrons"]))
    await run.flow.settle()
    return []


async def add_titles(run: Run, _: Step) -> list[Check]:
    """Add every title with its copies to the catalogue."""
    added = await asyncio.gather(
        *(run.api.post("/v1/titles", title, by="staff") for title in run.scenario["titles"])
    )
    run.titles = {title["isbn"]: title["id"] for title in added}
    await run.flow.settle()
    return []


async def set_preferences(run: Run, _: Step) -> list[Check]:
    """Set the preferences of each patron who has some."""
    for preference in run.scenario["preferences"]:
        card = preference["card"]
        wanted = {name: value for name, value in preference.items() if name != "card"}
        await run.api.call("PATCH", "/v1/me/preferences", wanted, by=card)
    await run.flow.settle()
    return []
