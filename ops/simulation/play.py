"""A simulated city through the API of a running simulation, compared call by call."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import aiohttp

from ops.direct import add_account
from ops.infrastructure.processes import System
from ops.scenario.api import Api, Flow
from ops.simulation.acts import Act, Simulation
from ops.simulation.messages import Advance, Tally
from services.accounts.cardholders.rules import StaffRole
from services.accounts.settings import Settings

JOBS = ("fines-resumed", "due-soon", "overdue", "lost", "holds")
AT_ONCE = 16
"""Registrations that are sent together; they do not depend on each other."""
FOUNDING = ("register-branch", "add-title", "register-patron")


@dataclass
class Played:
    """The result of playing a simulation."""

    tally: Tally = field(default_factory=Tally)
    calls: int = 0
    differences: list[str] = field(default_factory=list)
    """Answers that are not those of the simulation's rules."""


async def play(system: System, simulation: Simulation, advance: Advance) -> Played:
    """Carry all acts out through the gateway; return where its answers differ.

    The system is empty and runs as a simulation. Raises ScenarioStopped for a problem.
    """
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=40), connector=aiohttp.TCPConnector(ssl=system.tls)
        ) as session,
        Flow(system, session) as flow,
    ):
        api = Api(session, system.gateway_url, f"simulation-{simulation.plan.seed}")
        player = _Player(simulation, api, flow)
        await player.log_in_staff(system.settings(Settings))
        day, waiting = date.min, list[Act]()
        for act in simulation.acts():
            if act.at.date() > day:
                day = act.at.date()
                advance(day)
            for event in act.events:
                player.played.tally.count(event)
            if waiting and (act.verb != waiting[0].verb or len(waiting) == AT_ONCE):
                await player.found(waiting, last=act.verb != waiting[0].verb)
                waiting = []
            if act.verb in FOUNDING:
                waiting.append(act)
            else:
                await player.carry_out(act)
        if waiting:
            await player.found(waiting, last=True)
        await flow.settle()
    return player.played


class _Player:
    """Makes the calls, and keeps the system's ids of what they made."""

    def __init__(self, simulation: Simulation, api: Api, flow: Flow) -> None:
        self.played = Played()
        self._simulation = simulation
        self._api = api
        self._flow = flow
        self._titles: dict[int, str] = {}
        self._patrons: dict[str, str] = {}
        self._loans: dict[int, str] = {}
        self._holds: dict[tuple[str, int], str] = {}
        self._activities: dict[str, str] = {}
        self._logged_in: set[str] = set()
        self._verbs: dict[str, Callable[[Act], Awaitable[None]]] = {
            "register-branch": self._register_branch,
            "add-title": self._add_title,
            "register-patron": self._register_patron,
            "close": self._close,
            "suspend-fines": self._suspend_fines,
            "run-jobs": self._run_jobs,
            "check-out": self._check_out,
            "renew": self._renew,
            "return": self._return,
            "place-hold": self._place_hold,
            "cancel-hold": self._cancel_hold,
            "pay": self._pay,
            "waive": self._waive,
            "publish-activity": self._publish_activity,
            "register": self._register,
            "withdraw": self._withdraw,
            "attend": self._attend,
            "cancel-activity": self._cancel_activity,
        }

    async def log_in_staff(self, settings: Settings) -> None:
        """Create the accounts of the staff in the database, and log them in."""
        self._api.now = self._simulation.city.founded.isoformat()
        roles: tuple[StaffRole, ...] = ("ops", "admin", "staff")
        for role in roles:
            pin = self._pin(role)
            await add_account(settings, role.upper(), pin, role, role)
            await self._api.log_in(role, role.upper(), pin)

    async def found(self, acts: list[Act], *, last: bool) -> None:
        """Make several registrations at once; after the last of a kind, let them take effect."""
        self._api.now = acts[0].at.isoformat()
        await asyncio.gather(*(self._verbs[act.verb](act) for act in acts))
        self.played.calls += len(acts)
        if last:
            await self._flow.settle()

    async def carry_out(self, act: Act) -> None:
        """Make the call of an act at its time."""
        self._api.now = act.at.isoformat()
        self.played.calls += 1
        await self._verbs[act.verb](act)

    def _expect(self, act: Act, expected: Any, found: Any) -> None:
        if expected != found:
            self.played.differences.append(
                f"{act.at.isoformat()} {act.verb} {act.fields}: {found}, not {expected}"
            )

    def _pin(self, name: str) -> str:
        return f"{self._simulation.plan.number('pin', name) % 10**10:010}"

    async def _register_branch(self, act: Act) -> None:
        await self._api.post("/v1/branches", act.fields, by="staff")

    async def _add_title(self, act: Act) -> None:
        answer = await self._api.post("/v1/titles", act.fields, by="staff")
        self._titles[act.outcome] = answer["id"]

    async def _register_patron(self, act: Act) -> None:
        card = act.fields["card_number"]
        answer = await self._api.post(
            "/v1/patrons", {**act.fields, "pin": self._pin(card)}, by="staff"
        )
        self._patrons[card] = answer["id"]

    async def _close(self, act: Act) -> None:
        await self._api.post("/v1/closures", act.fields, by="staff")
        await self._flow.settle()

    async def _suspend_fines(self, act: Act) -> None:
        await self._api.post("/v1/fine-suspensions", act.fields, by="staff")

    async def _run_jobs(self, _: Act) -> None:
        await self._flow.settle()
        for job in JOBS:
            await self._api.post(f"/v1/ops/jobs/circulation/{job}", by="ops")

    async def _check_out(self, act: Act) -> None:
        barcodes = [self._barcode(number) for number in act.fields["copies"]]
        body = {"card_number": act.fields["patron"], "barcodes": barcodes}
        body["branch"] = act.fields["branch"]
        results = (await self._api.post("/v1/checkouts", body, by="staff"))["results"]
        found = ["" if one["ok"] else one["problem"]["code"] for one in results]
        self._expect(act, act.outcome, found)
        for number, one in zip(act.fields["copies"], results, strict=True):
            if one["ok"]:
                self._loans[number] = one["loan"]["id"]

    async def _renew(self, act: Act) -> None:
        path = f"/v1/loans/{self._loans[act.fields['copy']]}/renewals"
        status, answer = await self._api.call("POST", path, by="staff", expect=200)
        refused = "" if status < 400 else answer["code"]
        self._expect(act, act.outcome, refused)
        if not refused:
            self._expect(act, act.fields["due_on"], answer.get("loan", answer)["due_on"])

    async def _return(self, act: Act) -> None:
        body = {"barcodes": [self._barcode(act.fields["copy"])]}
        body |= {name: act.fields[name] for name in ("branch", "channel")}
        [result] = (await self._api.post("/v1/returns", body, by="staff"))["results"]
        self._expect(act, True, result["ok"])

    async def _place_hold(self, act: Act) -> None:
        card, title = act.fields["patron"], act.fields["title"]
        body = {"title_id": self._titles[title], "pickup_branch": act.fields["branch"]}
        body["patron_id"] = self._patrons[card]
        status, answer = await self._api.call("POST", "/v1/holds", body, by="staff", expect=201)
        self._expect(act, act.outcome, "" if status < 400 else answer["code"])
        if status < 400:
            self._holds[card, title] = answer["id"]

    async def _cancel_hold(self, act: Act) -> None:
        hold = self._holds[act.fields["patron"], act.fields["title"]]
        await self._api.call("DELETE", f"/v1/holds/{hold}", by="staff")

    async def _pay(self, act: Act) -> None:
        card = act.fields["patron"]
        await self._log_in(card)
        owed = [one["id"] for one in await self._unpaid(card)]
        payment = await self._api.post("/v1/payments", {"charge_ids": owed}, by=card)
        self._expect(act, act.fields["cents"], payment["amount_cents"])

    async def _waive(self, act: Act) -> None:
        cents = act.fields["cents"]
        charges = [
            one
            for one in await self._unpaid(act.fields["patron"])
            if one["outstanding_cents"] == cents and one["kind"] == "fine"
        ]
        body = {"amount_cents": cents, "reason": "waived at the desk"}
        await self._api.post(f"/v1/charges/{charges[0]['id']}/waiver", body, by="staff")

    async def _publish_activity(self, act: Act) -> None:
        answer = await self._api.post("/v1/activities", act.fields, by="staff")
        self._activities[act.outcome] = answer["id"]

    async def _register(self, act: Act) -> None:
        status, answer = await self._registration("POST", act, expect=201)
        self._expect(act, act.outcome, answer["state" if status < 400 else "code"])

    async def _withdraw(self, act: Act) -> None:
        status, answer = await self._registration("DELETE", act, expect=200)
        self._expect(act, act.outcome, "" if status < 400 else answer["code"])

    async def _registration(self, method: str, act: Act, *, expect: int) -> tuple[int, Any]:
        card = act.fields["patron"]
        await self._log_in(card)
        path = f"/v1/activities/{self._activities[act.fields['activity']]}/registration"
        return await self._api.call(method, path, by=card, expect=expect)

    async def _attend(self, act: Act) -> None:
        path = f"/v1/activities/{self._activities[act.fields['activity']]}/attendance"
        body = {"patron_id": self._patrons[act.fields["patron"]]}
        status, answer = await self._api.call("POST", path, body, by="staff", expect=200)
        self._expect(act, act.outcome, "" if status < 400 else answer["code"])

    async def _cancel_activity(self, act: Act) -> None:
        path = f"/v1/activities/{self._activities[act.fields['activity']]}/cancellation"
        await self._api.post(path, {"reason": act.fields["reason"]}, by="staff")

    async def _log_in(self, card: str) -> None:
        """Log a patron in, once."""
        if card not in self._logged_in:
            await self._api.log_in(card, card, self._pin(card))
            self._logged_in.add(card)

    async def _unpaid(self, card: str) -> list[dict[str, Any]]:
        path = f"/v1/patrons/{self._patrons[card]}/charges?limit=200"
        charges = (await self._api.get(path, by="staff"))["items"]
        return [one for one in charges if one["outstanding_cents"]]

    def _barcode(self, number: int) -> str:
        return self._simulation.city.copy(number).barcode
