"""The player of scenarios: carries each step out through the gateway's API, and reports it.

A scenario is data (`reopening-2021.yaml`): dated steps, the line to print for each, and the
expectations after it. All steps go through the gateway, as patrons, staff and stations use it. Only
the first account is created directly in the database, as in a library.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from ops.infrastructure.processes import System
from ops.scenario import (
    branches,
    loans,
    patrons,
    setup,
    study_rooms,
)
from ops.scenario.api import Api, Flow
from ops.scenario.definition import SCENARIO, Check, Report, Step, StepReport, read_scenario
from ops.scenario.run import Run
from services.accounts.settings import Settings as AccountsSettings

VERBS: dict[str, Callable[[Run, Step], Awaitable[list[Check]]]] = {
    "register-branches": setup.register_branches,
    "register-patrons": setup.register_patrons,
    "add-titles": setup.add_titles,
    "set-preferences": setup.set_preferences,
    "publish-activity": study_rooms.publish_activity,
    "register-for-activity": study_rooms.register_for_activity,
    "record-attendance": study_rooms.record_attendance,
    "check-out": loans.check_out,
    "return": loans.return_copies,
    "fetch": loans.fetch,
    "renew": loans.renew,
    "place-hold": loans.place_hold,
    "cancel-hold": loans.cancel_hold,
    "declare-loss": loans.declare_loss,
    "return-found": loans.return_found,
    "pay": loans.pay,
    "refund": loans.refund,
    "ask-statement": loans.ask_statement,
    "set-ready-delay": branches.set_ready_delay,
    "set-wording": branches.set_wording,
    "preview-closure": branches.preview_closure,
    "close": branches.close,
    "reopen": branches.reopen,
    "set-service-hours": branches.set_service_hours,
    "suspend-fines": branches.suspend_fines,
    "announce-resumption": branches.announce_resumption,
    "notice": branches.publish_notice,
    "erase": patrons.erase,
    "expire-card": patrons.expire_card,
    "renew-card": patrons.renew_card,
    "ask-librarian": patrons.ask_librarian,
    "answer-enquiry": patrons.answer_enquiry,
    "check-in": patrons.check_in,
    "check-out-visitor": patrons.check_out,
    "trace-visits": patrons.trace_visits,
    "destroy-visits": patrons.destroy_visits,
    "announce-season": study_rooms.announce_season,
    "key-in-applications": study_rooms.key_in_applications,
    "draw-season": study_rooms.draw_season,
    "book-session": study_rooms.book_session,
    "close-study-room": study_rooms.close_study_room,
    "link-cards": patrons.link_cards,
    "open-study-room": study_rooms.open_study_room,
    "run-job": loans.run_job,
    "ask-recording": study_rooms.ask_recording,
    "expect": patrons.check_expectations,
}


async def play(
    system: System,
    *,
    path: Path = SCENARIO,
    on_step: Callable[[StepReport], None] = lambda _: None,
) -> Report:
    """Play the scenario of a file on a running simulation; call `on_step` after each step.

    Raises ScenarioStopped if a step is answered with a problem that was not expected.
    """
    scenario = await asyncio.to_thread(read_scenario, path)
    started = time.monotonic()
    async with (
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=40), connector=aiohttp.TCPConnector(ssl=system.tls)
        ) as session,
        Flow(system, session) as flow,
    ):
        run = Run(scenario, Api(session, system.gateway_url, scenario["name"]), flow)
        report = Report(scenario["name"])
        await setup.log_in_callers(run, system.settings(AccountsSettings))
        for step in scenario["steps"]:
            report.steps.append(await _carry_out(run, step))
            on_step(report.steps[-1])
        await _conclude(run, report)
        report.topics = await flow.counts()
    report.seconds = time.monotonic() - started
    return report


async def _carry_out(run: Run, step: Step) -> StepReport:
    """Carry one step out, wait for all its effects, and check them."""
    run.api.now = step["at"]
    checks = await VERBS[step["do"]](run, step)
    return StepReport(step["at"], step["do"], step["tell"], checks)


async def _conclude(run: Run, report: Report) -> None:
    """Collect the accounts, inboxes and statements that are shown at the end."""
    for card in run.scenario["show"]["accounts"]:
        report.accounts.append(await run.api.get("/v1/me", by=card))
        inbox = await run.api.get("/v1/me/inbox?limit=200", by=card)
        name = run.cards[card]["name"]
        # Items of one moment have no order of their own.
        items = sorted(inbox["items"], key=lambda i: (i["at"], i["kind"], i["text"]))
        report.inboxes.append({"name": name, "items": items})
    for barcode in run.scenario["show"]["fine_statements"]:
        loan = run.loans[barcode]["id"]
        statement = await run.api.get(f"/v1/loans/{loan}/fine-statement", by="staff")
        report.statements.append({"barcode": barcode, **statement})
