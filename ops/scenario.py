"""Scenarios: play one through the gateway's API at its own business time, and check the results.

A scenario is data (`ops/scenarios/*.yaml`): dated steps, the line to print for each, and the
expectations after it. All steps go through the gateway, as patrons, staff and stations use it. Only
the first account is created directly in the database, as in a library.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import yaml

from ops.flow import Flow
from ops.processes import System
from ops.staff import add_account
from services.accounts.settings import Settings as AccountsSettings
from shared.money import dollars

SCENARIO = Path(__file__).parent / "scenarios" / "reopening-2021.yaml"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

PATIENCE_SECONDS = 60.0
"""Seconds for which a step is repeated while a service answers that it is away for a moment."""

OF_HOLDS = ("hold.ready", "hold.changed")
"""Notifications that a close, reopen, return or fetch step lists as `ready` and `kept`."""

Step = dict[str, Any]


class ScenarioStopped(Exception):
    """A step could not be carried out, so the later steps make no sense."""


@dataclass(frozen=True)
class Check:
    """One expectation and the result."""

    what: str
    expected: Any
    found: Any

    @property
    def holds(self) -> bool:
        """True if the result is as expected."""
        return bool(self.expected == self.found)


@dataclass
class StepReport:
    """The result of one step."""

    at: str
    do: str
    tell: str
    checks: list[Check] = field(default_factory=list)


@dataclass
class Report:
    """The whole run."""

    name: str
    steps: list[StepReport] = field(default_factory=list)
    accounts: list[dict[str, Any]] = field(default_factory=list)
    inboxes: list[dict[str, Any]] = field(default_factory=list)
    statements: list[dict[str, Any]] = field(default_factory=list)
    topics: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def checks(self) -> list[Check]:
        """Every expectation of every step."""
        return [check for step in self.steps for check in step.checks]

    @property
    def holds(self) -> bool:
        """True if every expectation holds."""
        return all(check.holds for check in self.checks)

    @property
    def failures(self) -> list[str]:
        """A sentence for each expectation that does not hold."""
        return [
            f"{step.at} {step.do}: {check.what}: expected {check.expected}, found {check.found}"
            for step in self.steps
            for check in step.checks
            if not check.holds
        ]


@dataclass(frozen=True)
class Told:
    """One notification as its patron sees it."""

    card: str
    kind: str
    text: str
    about: dict[str, Any]
    id: str


def read_plot(scenario: Path = SCENARIO) -> dict[str, Any]:
    """Return the scenario's data from its file."""
    plot: dict[str, Any] = yaml.safe_load(scenario.read_text())
    return plot


def opening_hours(plot: dict[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Return the weekly hours of each kind of branch in the API's form."""
    return {kind: _weekly(week) for kind, week in plot["hours"].items()}


async def play(
    system: System,
    *,
    scenario: Path = SCENARIO,
    tell: Callable[[StepReport], None] = lambda _: None,
) -> Report:
    """Play the scenario on a running simulation; call `tell` after each step.

    Raises ScenarioStopped if a step is answered with a problem that was not expected.
    """
    plot = await asyncio.to_thread(read_plot, scenario)
    started = time.monotonic()
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=40)) as session,
        Flow(system, session) as flow,
    ):
        player = _Player(plot, system, session, flow)
        await player.log_in_callers()
        for step in plot["steps"]:
            player.report.steps.append(await player.step(step))
            tell(player.report.steps[-1])
        await player.conclude()
        player.report.topics = await flow.counts()
    player.report.seconds = time.monotonic() - started
    return player.report


class _Player:
    """Carries the steps out, and keeps the system's ids of the things that they name."""

    def __init__(
        self, plot: dict[str, Any], system: System, session: aiohttp.ClientSession, flow: Flow
    ) -> None:
        self._plot = plot
        self._system = system
        self._session = session
        self._flow = flow
        self._now = ""
        self._at_once = asyncio.Semaphore(4)  # checking a PIN takes a core a tenth of a second
        self._keys = 0
        self._tokens: dict[str, str] = {}
        self._cards: dict[str, dict[str, Any]] = {
            patron["card_number"]: patron for patron in plot["patrons"]
        }
        self._kinds = {branch["code"]: branch["kind"] for branch in plot["branches"]}
        self._titles: dict[str, str] = {}  # ISBN → id
        self._holds: dict[tuple[str, str], str] = {}  # card and ISBN → hold id
        self._activities: dict[str, str] = {}
        self._closures: dict[str, str] = {}
        self._suspensions: dict[str, dict[str, Any]] = {}
        self._loans: dict[str, dict[str, Any]] = {}  # barcode → the latest loan of that copy
        self._borrower: dict[str, str] = {}  # loan id → card
        self._heard: set[str] = set()  # notifications that an earlier step has seen
        self.report = Report(plot["name"])

    # -- calls ------------------------------------------------------------------------------------

    async def _call(
        self, method: str, path: str, body: Any = None, *, by: str = "", expect: int | None = None
    ) -> tuple[int, Any]:
        headers = {"Carrel-Time": self._now}
        if by:
            headers["Authorization"] = f"Bearer {self._tokens[by]}"
        if method != "GET":
            self._keys += 1
            headers["Idempotency-Key"] = f"{self._plot['name']}-{self._keys}"
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            async with (
                self._at_once,
                self._session.request(
                    method, self._system.gateway_url + path, json=body, headers=headers
                ) as response,
            ):
                raw = await response.read()
            answer = orjson.loads(raw) if raw else None
            if response.status != 503 or time.monotonic() > deadline:
                break
            # A busy machine: the same key makes the next try safe, whatever became of this one.
            await asyncio.sleep(int(response.headers.get("Retry-After", 1)))
        if expect is None and response.status >= 400:
            code = answer.get("code") if isinstance(answer, dict) else None
            detail = answer.get("detail") if isinstance(answer, dict) else None
            raise ScenarioStopped(
                f"{method} {path} at {self._now}: {response.status} {code}: {detail}"
                f"{'' if not isinstance(answer, dict) else ' ' + str(answer.get('errors', ''))}"
            )
        return response.status, answer

    async def _get(self, path: str, *, by: str = "") -> Any:
        return (await self._call("GET", path, by=by))[1]

    async def _post(self, path: str, body: Any = None, *, by: str) -> Any:
        return (await self._call("POST", path, body, by=by))[1]

    async def _log_in(self, who: str, card: str, pin: str) -> None:
        answer = (await self._call("POST", "/v1/sessions", {"card_number": card, "pin": pin}))[1]
        self._tokens[who] = answer["access_token"]

    async def log_in_callers(self) -> None:
        """Create the first account in the database and the others through it, and log all in."""
        self._now = self._plot["steps"][0]["at"]
        callers = {caller["role"]: caller for caller in self._plot["callers"]}
        ops = callers.pop("ops")
        settings = self._system.settings(AccountsSettings)
        await add_account(settings, ops["card_number"], ops["pin"], ops["name"], "ops")
        await self._log_in("ops", ops["card_number"], ops["pin"])
        for role, caller in callers.items():
            await self._post("/v1/staff", caller, by="ops")
            await self._log_in(role, caller["card_number"], caller["pin"])

    # -- steps ------------------------------------------------------------------------------------

    async def step(self, step: Step) -> StepReport:
        """Carry one step out, wait for all its effects, and check them."""
        self._now = step["at"]
        verbs: dict[str, Callable[[Step], Awaitable[list[Check]]]] = {
            "register-branches": self._register_branches,
            "register-patrons": self._register_patrons,
            "add-titles": self._add_titles,
            "set-preferences": self._set_preferences,
            "publish-activity": self._publish_activity,
            "check-out": self._check_out,
            "return": self._return,
            "fetch": self._fetch,
            "renew": self._renew,
            "place-hold": self._place_hold,
            "cancel-hold": self._cancel_hold,
            "declare-loss": self._declare_loss,
            "return-found": self._return_found,
            "pay": self._pay,
            "refund": self._refund,
            "ask-statement": self._ask_statement,
            "preview-closure": self._preview_closure,
            "close": self._close,
            "reopen": self._reopen,
            "suspend-fines": self._suspend_fines,
            "announce-resumption": self._announce_resumption,
            "notice": self._notice,
            "run-job": self._run_job,
            "ask-recording": self._ask_recording,
            "expect": self._expect,
        }
        checks = await verbs[step["do"]](step)
        return StepReport(step["at"], step["do"], step["tell"], checks)

    async def _register_branches(self, _: Step) -> list[Check]:
        hours = opening_hours(self._plot)
        await asyncio.gather(
            *(
                self._post("/v1/branches", {**branch, "hours": hours[branch["kind"]]}, by="staff")
                for branch in self._plot["branches"]
            )
        )
        await self._flow.settle()
        listed = await self._get("/v1/branches?limit=200")
        return [Check("branches", len(self._plot["branches"]), len(listed["items"]))]

    async def _register_patrons(self, _: Step) -> list[Check]:
        async def register(patron: dict[str, Any]) -> None:
            fields = {name: value for name, value in patron.items() if name != "story"}
            await self._post("/v1/patrons", fields, by="staff")
            await self._log_in(patron["card_number"], patron["card_number"], patron["pin"])

        await asyncio.gather(*(register(patron) for patron in self._plot["patrons"]))
        await self._flow.settle()
        return []

    async def _add_titles(self, _: Step) -> list[Check]:
        added = await asyncio.gather(
            *(self._post("/v1/titles", title, by="staff") for title in self._plot["titles"])
        )
        self._titles = {title["isbn"]: title["id"] for title in added}
        await self._flow.settle()
        return []

    async def _set_preferences(self, _: Step) -> list[Check]:
        for preference in self._plot["preferences"]:
            card = preference["card"]
            wanted = {name: value for name, value in preference.items() if name != "card"}
            await self._call("PATCH", "/v1/me/preferences", wanted, by=card)
        await self._flow.settle()
        return []

    async def _publish_activity(self, step: Step) -> list[Check]:
        [activity] = [a for a in self._plot["activities"] if a["key"] == step["activity"]]
        fields = {name: value for name, value in activity.items() if name != "key"}
        if recording := fields.pop("recording", None):
            fields["recording"] = {
                "url": recording["address"],
                "available_from": recording["available_from"],
            }
        answer = await self._post("/v1/activities", fields, by="staff")
        self._activities[step["activity"]] = answer["id"]
        await self._flow.settle()
        return []

    async def _check_out(self, step: Step) -> list[Check]:
        answer = await self._post(
            "/v1/checkouts",
            {"card_number": step["card"], "barcodes": step["barcodes"], "branch": step["branch"]},
            by=step.get("by", "staff"),
        )
        checks = []
        for expected, result in zip(step["expect"], answer["results"], strict=True):
            barcode = result["barcode"]
            if result["ok"]:
                self._loans[barcode] = result["loan"]
                self._borrower[result["loan"]["id"]] = step["card"]
            found = {"barcode": barcode} | (
                {"due_on": result["loan"]["due_on"]}
                if result["ok"]
                else {"refused": result["problem"]["code"]}
            )
            terms = {name: value for name, value in expected.items() if name != "fee_cents"}
            checks.append(Check(f"{barcode} lent", terms, found))
        view = await self._get("/v1/me", by=step["card"])
        lent = {loan["barcode"] for loan in view["loans"]}
        wanted = {row["barcode"] for row in step["expect"] if "due_on" in row}
        checks.append(Check("the patron sees it at once", sorted(wanted), sorted(wanted & lent)))
        if fees := [row["fee_cents"] for row in step["expect"] if "fee_cents" in row]:
            told = await self._told("fine.assessed", {step["card"]: len(fees)})
            checks.append(
                Check("told of the fee", fees, [t.about.get("amount_cents") for t in told])
            )
        return checks

    async def _return(self, step: Step) -> list[Check]:
        body = {name: step[name] for name in ("barcodes", "branch", "channel")}
        if back_dated := step.get("back_dated_to"):
            body["at"] = back_dated
        answer = await self._post("/v1/returns", body, by=step.get("by", "staff"))
        checks = []
        for expected, result in zip(step["expect"], answer["results"], strict=True):
            if not result["ok"]:
                checks.append(Check(f"{result['barcode']} returned", "ok", result["problem"]))
                continue
            checks += await self._fine_checks(expected, result)
        if "ready" in step:
            await self._flow.settle()
            checks += _hold_checks(step, await self._all_new())
        return checks

    async def _fetch(self, step: Step) -> list[Check]:
        """Scan everything on the fetch list of a library, as its staff do."""
        barcodes, branch = step["barcodes"], step["branch"]
        listed = await self._get(f"/v1/holds/to-fetch/{branch}?limit=200", by="staff")
        body = {"barcodes": barcodes, "branch": branch, "channel": "desk"}
        scanned = await self._post("/v1/returns", body, by="staff")
        await self._flow.settle()
        return [
            Check("to fetch", sorted(barcodes), sorted(one["barcode"] for one in listed["items"])),
            Check("scanned", [], [one["barcode"] for one in scanned["results"] if not one["ok"]]),
            *_hold_checks(step, await self._all_new()),
        ]

    async def _renew(self, step: Step) -> list[Check]:
        barcode = step["barcode"]
        loan = self._loans[barcode]
        answer = await self._post(f"/v1/loans/{loan['id']}/renewals", by=step["card"])
        renewed = answer.get("loan", answer)
        self._loans[barcode] = renewed
        [expected] = step["expect"]
        checks = [
            Check(f"{barcode} renewed until", expected["due_on"], renewed["due_on"]),
            Check(f"{barcode} has a reference", True, bool(answer.get("reference"))),
        ]
        charge = answer.get("charge")
        found = charge["amount_cents"] if charge else 0
        checks.append(Check(f"{barcode} fine so far", expected.get("fine_cents", 0), found))
        if charge:
            assessed = await self._get(f"/v1/charges/{charge['id']}", by=step["card"])
            checks += _statement_checks(barcode, expected, assessed["statement"], due=False)
            checks += await self._told_checks(barcode, step["card"], found)
        return checks

    async def _fine_checks(self, expected: dict[str, Any], result: dict[str, Any]) -> list[Check]:
        """Check a return: its fine, the statement as its patron reads it, and the notification."""
        barcode = result["barcode"]
        self._loans[barcode] = result["loan"]
        charge = result.get("charge")
        owed = charge["amount_cents"] if charge else 0
        card = self._borrower[result["loan"]["id"]]
        statement = await self._get(f"/v1/loans/{result['loan']['id']}/fine-statement", by=card)
        checks = [Check(f"{barcode} charged", expected["fine_cents"], owed)]
        checks += _statement_checks(barcode, expected, statement, due=True)
        if owed:
            checks += await self._told_checks(barcode, card, owed)
        return checks

    async def _told_checks(self, barcode: str, card: str, owed: int) -> list[Check]:
        """Check that the patron is notified of a fine with the charged amount."""
        [told] = await self._told("fine.assessed", {card: 1})
        return [
            Check(f"{barcode} told", owed, told.about.get("amount_cents")),
            Check(f"{barcode} said", True, dollars(owed) in told.text),
        ]

    async def _close(self, step: Step) -> list[Check]:
        fields = ("branches", "kinds", "from", "reopened_on", "reason")
        body = {name: step[name] for name in fields if name in step}
        answer = await self._post("/v1/closures", body, by="staff")
        self._closures[step["as"]] = answer["id"]
        covered = [code for code, kind in self._kinds.items() if kind in step.get("kinds", ())]
        covered += step.get("branches", ())
        await self._flow.settle()
        told = await self._all_new()
        return [
            Check("branches closed", sorted(covered), sorted(answer["branches"])),
            *_hold_checks(step, told),
            Check("nobody else is told", [], [t.kind for t in told if t.kind not in OF_HOLDS]),
        ]

    async def _reopen(self, step: Step) -> list[Check]:
        fields = ("branches", "kinds", "reopened_on", "services", "capacity", "measures")
        body = {name: step[name] for name in fields if name in step}
        if "hours" in step:
            body["hours"] = _weekly(self._plot["special_hours"][step["hours"]])
        closure = self._closures[step["closure"]]
        await self._post(f"/v1/closures/{closure}/reopening", body, by="staff")
        await self._flow.settle()
        expected = step["expect"]
        moved = Counter(row["card"] for row in expected["due_moved"])
        followers = Counter(expected["followers_told"])
        told = await self._all_new()
        checks = [
            Check(
                "told that a due date moved",
                sorted(moved.elements()),
                sorted(t.card for t in told if t.kind == "loan.due-date-changed"),
            ),
            Check(
                "followers told",
                sorted(followers),
                sorted({t.card for t in told if t.kind == "branch.reopened"}),
            ),
            Check(
                "nothing else is told",
                [],
                [
                    t.kind
                    for t in told
                    if t.kind not in ("loan.due-date-changed", "branch.reopened", *OF_HOLDS)
                ],
            ),
            *_hold_checks(step, told),
        ]
        for row in expected["due_moved"]:
            view = await self._get("/v1/me", by=row["card"])
            due = {loan["barcode"]: loan["due_on"] for loan in view["loans"]}
            checks.append(Check(f"{row['barcode']} due", row["to"], due.get(row["barcode"])))
        return checks

    async def _suspend_fines(self, step: Step) -> list[Check]:
        fields = ("branches", "kinds", "starts_on", "resumes_on", "reason")
        body = {name: step[name] for name in fields if name in step}
        answer = await self._post("/v1/fine-suspensions", body, by="staff")
        self._suspensions[step["as"]] = {**step, "id": answer["id"]}
        await self._flow.settle()
        return await self._borrowers_told(step, "fines.suspended")

    async def _announce_resumption(self, step: Step) -> list[Check]:
        suspension = self._suspensions[step["suspension"]]
        suspension["resumes_on"] = step["resumes_on"]
        await self._call(
            "PATCH",
            f"/v1/fine-suspensions/{suspension['id']}",
            {"resumes_on": step["resumes_on"]},
            by="staff",
        )
        await self._flow.settle()
        return await self._borrowers_told(suspension, "fines.suspended")

    async def _borrowers_told(self, suspension: dict[str, Any], kind: str) -> list[Check]:
        """Check that each borrower of a branch in scope is notified once, without an amount."""
        concerned = {
            self._borrower[loan["id"]]
            for loan in self._loans.values()
            if loan["state"] == "open"
            and self._kinds[loan["branch"]] in suspension.get("kinds", ())
        }
        told = await self._all_new()
        return [
            Check("borrowers told", sorted(concerned), sorted(t.card for t in told)),
            Check("of nothing else", {kind} if told else set(), {t.kind for t in told}),
            Check(
                "told when fines are counted again",
                {suspension["resumes_on"]} if told else set(),
                {t.about.get("resumes_on") for t in told},
            ),
        ]

    async def _notice(self, step: Step) -> list[Check]:
        fields = ("branches", "kinds", "title", "content")
        body = {name: step[name] for name in fields if name in step}
        await self._post("/v1/notices", body, by="staff")
        await self._flow.settle()
        return await self._nobody_told()

    async def _run_job(self, step: Step) -> list[Check]:
        await self._post(f"/v1/ops/jobs/{step['job']}", by="ops")
        await self._flow.settle()
        told = await self._all_new()
        expected = step.get("expect", {})
        match step["job"]:
            case "circulation/overdue":
                return self._overdue_checks(expected, told)
            case "events/releases":
                return [
                    Check("told of the recording", expected["told"], [t.card for t in told]),
                    Check("and of nothing else", {"recording.released"}, {t.kind for t in told}),
                ]
            case "circulation/rework-fines":
                return await self._lowered_checks(expected, told)
            case _:
                return await self._resumed_checks(expected, told)

    def _overdue_checks(self, expected: dict[str, Any], told: list[Told]) -> list[Check]:
        found = {
            self._barcode(t): t.about.get("amount_cents") for t in told if t.kind == "loan.overdue"
        }
        first = {row["barcode"]: row["cents"] for row in expected["first"]}
        again = {row["barcode"]: row["cents"] for row in expected["again"]}
        checks = [
            Check("overdue for the first time", first, {b: found.get(b, "untold") for b in first}),
            Check(
                "told again, if at all, of the same sum",
                {},
                {
                    b: cents
                    for b, cents in found.items()
                    if b not in first and again.get(b, "") != cents
                },
            ),
            Check("told by nothing else", [], [t.kind for t in told if t.kind != "loan.overdue"]),
        ]
        for t in told:
            cents = (first | again).get(self._barcode(t), "nobody")
            says = isinstance(cents, int) and dollars(cents) in t.text
            checks.append(Check(f"{self._barcode(t)} names its sum", isinstance(cents, int), says))
        return checks

    async def _resumed_checks(self, expected: dict[str, Any], told: list[Told]) -> list[Check]:
        kinds = {"fines.resumed"} if expected["accruing"] else set()
        checks = [Check("told", kinds, {t.kind for t in told})]
        for row in expected["accruing"]:
            view = await self._get("/v1/me", by=row["card"])
            loan = self._loans[row["barcode"]]["id"]
            accruing = {a["loan_id"]: a["amount_cents"] for a in view["accruing"]}
            checks.append(Check(f"{row['barcode']} accrues", row["cents"], accruing.get(loan)))
            checks.append(Check(f"{row['card']} told", True, row["card"] in {t.card for t in told}))
        return checks

    async def _ask_recording(self, step: Step) -> list[Check]:
        activity = self._activities[step["activity"]]
        status, answer = await self._call(
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

    # -- holds ------------------------------------------------------------------------------------

    async def _place_hold(self, step: Step) -> list[Check]:
        card, title = step["card"], step["title"]
        body = {"title_id": self._titles[title], "pickup_branch": step["branch"]}
        hold = await self._post("/v1/holds", body, by=card)
        self._holds[card, title] = hold["id"]
        await self._flow.settle()
        found = {"state": hold["state"], "position": hold["position"]}
        return [Check(f"{card} waits", step["expect"], found), *await self._nobody_told()]

    async def _cancel_hold(self, step: Step) -> list[Check]:
        hold = self._holds[step["card"], step["title"]]
        answer = (await self._call("DELETE", f"/v1/holds/{hold}", by=step["card"]))[1]
        await self._flow.settle()
        state = Check(f"{step['card']} waits no longer", "cancelled", answer["state"])
        return [state, *await self._nobody_told()]

    # -- money ------------------------------------------------------------------------------------

    async def _charges(self, card: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await self._get("/v1/me/charges?limit=200", by=card))[
            "items"
        ]
        return found

    async def _charge(self, barcode: str, kind: str) -> dict[str, Any]:
        loan = self._loans[barcode]["id"]
        charges = await self._charges(self._borrower[loan])
        return next(c for c in charges if c["loan_id"] == loan and c["kind"] == kind)

    async def _declare_loss(self, step: Step) -> list[Check]:
        barcode, card = step["barcode"], step["card"]
        answer = await self._post(f"/v1/loans/{self._loans[barcode]['id']}/loss", by=card)
        self._loans[barcode] = answer["loan"]
        await self._flow.settle()
        told = await self._all_new()
        expected = step["expect"]
        found = {charge["kind"]: charge["amount_cents"] for charge in answer["charges"]}
        return [
            Check(f"{barcode} charged", expected["charges"], found),
            Check("days charged", expected["charged_days"], answer["statement"]["charged_days"]),
            Check(
                "told of the loss and of each charge",
                ["fine.assessed"] * len(found) + ["loan.lost"],
                sorted(t.kind for t in told if t.card == card),
            ),
        ]

    async def _pay(self, step: Step) -> list[Check]:
        card = step["card"]
        owed = [c["id"] for c in await self._charges(card) if c["outstanding_cents"]]
        payment = await self._post("/v1/payments", {"charge_ids": owed}, by=card)
        told = await self._told("fine.paid", {card: len(owed)})
        overview = await self._get("/v1/me", by=card)
        return [
            Check("paid", (step["cents"], "paid"), (payment["amount_cents"], payment["state"])),
            Check(
                "told of what was paid",
                step["cents"],
                sum(t.about.get("amount_cents", 0) for t in told),
            ),
            Check("nothing is owed", 0, overview["totals"]["outstanding_cents"]),
        ]

    async def _return_found(self, step: Step) -> list[Check]:
        """Return a lost copy: there is no new fine, and its price is credited."""
        barcode, card = step["barcode"], step["card"]
        body = {"barcodes": [barcode], "branch": step["branch"], "channel": step["channel"]}
        [result] = (await self._post("/v1/returns", body, by="staff"))["results"]
        checks = [Check(f"{barcode} charged", (True, None), (result["ok"], result.get("charge")))]
        told = await self._told("fine.adjusted", {card: 1})
        expected = step["expect"]
        charges = {kind: await self._charge(barcode, kind) for kind in expected["charges"]}
        price = charges["lost"]
        return [
            *checks,
            Check(
                f"{barcode} is charged now",
                expected["charges"],
                {kind: charge["amount_cents"] for kind, charge in charges.items()},
            ),
            Check("due back", expected["refund_due_cents"], price["refund_due_cents"]),
            Check("told what is due back", True, _names(told, expected["refund_due_cents"])),
        ]

    async def _refund(self, step: Step) -> list[Check]:
        charge = await self._charge(step["barcode"], step["kind"])
        refund = await self._post(f"/v1/charges/{charge['id']}/refund", by="staff")
        told = await self._told("fine.adjusted", {step["card"]: 1})
        left = (await self._charge(step["barcode"], step["kind"]))["refund_due_cents"]
        found = (refund["amount_cents"], refund["state"])
        return [
            Check("given back", (step["cents"], "given"), found),
            Check("due back", 0, left),
            Check("told of what is given back", True, _names(told, step["cents"])),
        ]

    async def _ask_statement(self, step: Step) -> list[Check]:
        """Check the statement of a fine as its patron reads it: every day, with its cause."""
        barcode, expected = step["barcode"], step["expect"]
        charge = await self._charge(barcode, "fine")
        statement = await self._get(f"/v1/charges/{charge['id']}/statement", by=step["card"])
        causes = [
            {"kind": span["cause"]["kind"], "reason": span["cause"]["reason"]}
            for span in statement["spans"]
            if span["disposition"] != "charged"
        ]
        return [
            Check(f"{barcode} fine", expected["fine_cents"], statement["amount_cents"]),
            *_statement_checks(barcode, expected, statement, due=True),
            Check(f"{barcode} why days are free", expected["causes"], causes),
        ]

    async def _preview_closure(self, step: Step) -> list[Check]:
        fields = ("branches", "from", "reopened_on", "reason")
        body = {name: step[name] for name in fields}
        answer = await self._post("/v1/closures?preview=true", body, by="staff")
        listed = await self._get(f"/v1/closures?branch={step['branches'][0]}", by="staff")
        reasons = [closure["reason"] for closure in listed["items"]]
        found = {name: answer["lending"][name] for name in step["expect"]}
        return [
            Check("would change", step["expect"], found),
            Check("nothing has changed", False, step["reason"] in reasons),
            *await self._nobody_told(),
        ]

    async def _lowered_checks(self, expected: dict[str, Any], told: list[Told]) -> list[Check]:
        checks = []
        for row in expected["lowered"]:
            charge = await self._charge(row["barcode"], "fine")
            checks.append(Check(f"{row['barcode']} fine", row["cents"], charge["amount_cents"]))
            named = _names([t for t in told if t.card == row["card"]], row["cents"])
            checks.append(Check(f"{row['card']} told", True, named))
        kinds = ["fine.adjusted"] * len(expected["lowered"])
        return [*checks, Check("told of nothing else", kinds, [t.kind for t in told])]

    # -- separate checks --------------------------------------------------------------------------

    async def _expect(self, step: Step) -> list[Check]:
        checks: list[Check] = []
        if view := step.get("view"):
            checks += await self._view_checks(view)
        for info in step.get("my_info", ()):
            checks += await self._info_checks(info)
        for branch in step.get("branch", ()):
            checks += await self._branch_checks(branch)
        for row in step.get("outstanding", ()):
            overview = await self._get("/v1/me", by=row["card"])
            found = overview["totals"]["outstanding_cents"]
            checks.append(Check(f"{row['card']} owes", row["cents"], found))
        return checks

    async def _view_checks(self, view: dict[str, Any]) -> list[Check]:
        overview = await self._get("/v1/me", by=view["card"])
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

    async def _info_checks(self, info: dict[str, Any]) -> list[Check]:
        found = await self._get("/v1/me/info", by=info["card"])
        card = info["card"]
        if info.get("empty"):
            tables = [found["activities"], found["library_information"]]
            return [Check(f"{card}: both tables are empty", [[], []], tables)]
        names = {branch["code"]: branch["name"] for branch in self._plot["branches"]}
        titles = {activity["key"]: activity["title"] for activity in self._plot["activities"]}
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

    async def _branch_checks(self, expected: dict[str, Any]) -> list[Check]:
        code, day = expected["code"], expected["day"]
        found = await self._get(f"/v1/branches/{code}?on={day}")
        return [
            Check(f"{code} on {day}: {name}", value, _comparable(name, found))
            for name, value in expected.items()
            if name not in ("code", "day")
        ]

    # -- notifications ----------------------------------------------------------------------------

    async def _inbox(self, card: str) -> list[Told]:
        page = await self._get("/v1/me/inbox?limit=200", by=card)
        return [
            Told(card, item["kind"], item["text"], item.get("about") or {}, item["id"])
            for item in page["items"]
        ]

    async def _all_new(self) -> list[Told]:
        """Return the new notifications of all patrons; none may name money in a suspension."""
        inboxes = await asyncio.gather(*(self._inbox(card) for card in self._cards))
        new = [t for inbox in inboxes for t in inbox if t.id not in self._heard]
        self._heard |= {t.id for t in new}
        for t in new:
            if self._is_free(t) and "$" in t.text:
                raise ScenarioStopped(
                    f"{t.card} was named money while fines are suspended: {t.text}"
                )
        return sorted(new, key=lambda t: (t.card, t.kind, self._barcode(t), t.text))

    async def _told(self, kind: str, wanted: dict[str, int]) -> list[Told]:
        """Wait for the effects of a step, and return the new notifications of `kind`."""
        await self._flow.settle()
        new = [t for t in await self._all_new() if t.kind == kind]
        found = Counter(t.card for t in new)
        if found != Counter(wanted):
            raise ScenarioStopped(f"{kind}: told {dict(found)} instead of {wanted}")
        return new

    async def _nobody_told(self) -> list[Check]:
        return [Check("nobody is written to", [], [t.kind for t in await self._all_new()])]

    def _is_free(self, told: Told) -> bool:
        about = told.about.get("loan_id")
        loan = next((loan for loan in self._loans.values() if loan["id"] == about), None)
        if loan is None:
            return told.kind == "fines.suspended"
        day = date.fromisoformat(self._now[:10])
        kind = self._kinds[loan["branch"]]
        return any(
            kind in suspension["kinds"]
            and date.fromisoformat(suspension["starts_on"]) <= day
            and (
                suspension["resumes_on"] is None
                or day < date.fromisoformat(suspension["resumes_on"])
            )
            for suspension in self._suspensions.values()
        )

    def _barcode(self, told: Told) -> str:
        loans = {loan["id"]: barcode for barcode, loan in self._loans.items()}
        return loans.get(str(told.about.get("loan_id")), "?")

    async def conclude(self) -> None:
        """Collect the accounts, inboxes and statements that are shown at the end."""
        for card in self._plot["show"]["accounts"]:
            self.report.accounts.append(await self._get("/v1/me", by=card))
            inbox = await self._get("/v1/me/inbox?limit=200", by=card)
            name = self._cards[card]["name"]
            # Items of one moment have no order of their own.
            items = sorted(inbox["items"], key=lambda i: (i["at"], i["kind"], i["text"]))
            self.report.inboxes.append({"name": name, "items": items})
        for barcode in self._plot["show"]["fine_statements"]:
            loan = self._loans[barcode]["id"]
            statement = await self._get(f"/v1/loans/{loan}/fine-statement", by="staff")
            self.report.statements.append({"barcode": barcode, **statement})


def _weekly(week: dict[str, str]) -> list[dict[str, Any]]:
    """Return hours such as `mon: "10:00-21:00"` in the API's form."""
    return [
        {"weekday": WEEKDAYS.index(day) + 1, "opens": span[:5], "closes": span[6:]}
        for day, span in week.items()
    ]


def _names(told: list[Told], cents: int) -> bool:
    """Return whether there are notifications and all of them name the amount."""
    return bool(told) and all(dollars(cents) in t.text for t in told)


def _hold_checks(step: Step, told: list[Told]) -> list[Check]:
    """Check that exactly these patrons are told that a copy is ready, or kept to another day."""
    checks = []
    for name, kind in (("ready", "hold.ready"), ("kept", "hold.changed")):
        expected = {row["card"]: row["until"] for row in step.get(name, ())}
        found = {t.card: t.about.get("shelf_until") for t in told if t.kind == kind}
        if expected or found:
            checks.append(Check(f"a copy is {name}, until", expected, found))
    return checks


def _statement_checks(
    barcode: str, expected: dict[str, Any], statement: dict[str, Any], *, due: bool
) -> list[Check]:
    checks = [Check(f"{barcode} days charged", expected["charged_days"], statement["charged_days"])]
    if due:
        checks.append(Check(f"{barcode} counted from", expected["due_on"], statement["due_on"]))
    if "spans" in expected:
        fields = ("from", "to", "days", "disposition")
        found = [
            {**{name: span[name] for name in fields}, "cents": span["amount_cents"]}
            for span in statement["spans"]
        ]
        checks.append(Check(f"{barcode} statement", expected["spans"], found))
    return checks


def _comparable(name: str, found: dict[str, Any]) -> Any:
    """Return the part of a branch that an expectation is about; hours as `10:00-19:00`."""
    if name == "hours":
        return ", ".join(f"{hours['opens']}-{hours['closes']}" for hours in found["hours"])
    return found.get(name)
