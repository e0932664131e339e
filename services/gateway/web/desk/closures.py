"""Desk pages of closures and reopenings."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk.changes import PreviewableCommand, carry_out
from services.gateway.web.desk_words import KINDS
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

MOST_DECIDED = 20
"""Number of activities that one form changes: each is a command of its own."""


@router.get("/desk/closures")
async def get_closures(visit: DeskVisit) -> Response:
    """List closures, the last recorded first, with a form for a new one."""
    return await _closures(visit)


@router.post("/desk/closures")
async def post_closure(visit: DeskVisit) -> Response:
    """Close libraries."""
    relief = visit.number("extra_renewals")
    body = {
        **forms.scope(visit),
        **forms.given(visit, "from", "reopened_on", "reason"),
        **({} if relief is None else {"relief": {"extra_renewals": relief}}),
    }
    change = PreviewableCommand(
        "POST",
        "/v1/closures",
        body,
        "/desk/closures",
        "closure-recorded",
        made=_page_of,
    )
    return await carry_out(visit, change, partial(_closures, visit))


@router.get("/desk/closures/{closure_id}")
async def get_closure(visit: DeskVisit, closure_id: str) -> Response:
    """Show a closure with the forms that change it."""
    return await _closure(visit, closure_id)


@router.post("/desk/closures/{closure_id}/reopening")
async def post_reopening(visit: DeskVisit, closure_id: str) -> Response:
    """Announce a reopening and its terms; without a day, cancel an announced one."""
    terms = forms.numbers(visit, "capacity", "stagger_days")
    listed = {name: forms.lines(visit, name) for name in ("services", "measures")}
    body = {
        **forms.scope(visit),
        "reopened_on": visit.text("reopened_on") or None,
        **terms,
        **{name: values for name, values in listed.items() if values},
        **_hours(visit),
    }
    return await _changed(visit, closure_id, "POST", "/reopening", body)


@router.post("/desk/closures/{closure_id}/amendment")
async def post_amendment(visit: DeskVisit, closure_id: str) -> Response:
    """Correct a closure's first day or its reason."""
    return await _changed(visit, closure_id, "PATCH", "", forms.given(visit, "from", "reason"))


@router.post("/desk/closures/{closure_id}/withdrawal")
async def post_withdrawal(visit: DeskVisit, closure_id: str) -> Response:
    """Withdraw a closure, or declare that it was recorded in error."""
    body = {
        **forms.scope(visit),
        "in_error": bool(visit.text("in_error")),
        "reason": visit.text("reason"),
    }
    return await _changed(visit, closure_id, "POST", "/withdrawal", body)


@router.post("/desk/closures/{closure_id}/activities")
async def post_activities(visit: DeskVisit, closure_id: str) -> Response:
    """Cancel or move the ticked activities, each on its own; registered patrons are notified.

    One that fails stays on the list, so staff press the button again.
    """
    chosen = visit.texts("activity")[:MOST_DECIDED]
    replies = await asyncio.gather(*(_decided(visit, one) for one in chosen))
    done = sum(reply.done for reply in replies)
    messages = [FlashMessage("activities-decided", {"count": done})] if done else []
    failed = [reply for reply in replies if forms.refusal(reply)]
    messages += [visit.refusal(reply) for reply in failed[:1]]
    if not chosen:
        messages = [FlashMessage("nothing-chosen", {}, went_well=False)]
    return visit.go(f"/desk/closures/{segment(closure_id)}", *messages)


async def _decided(visit: Visit, activity_id: str) -> Reply:
    path, key = f"/v1/activities/{segment(activity_id)}", visit.key_of(activity_id)
    if visit.text("decision") == "move":
        place = {"venue": visit.text("venue"), "branch": visit.text("branch") or None}
        return await visit.api.send("PATCH", path, place, key=key)
    reason = {"reason": visit.text("why")}
    return await visit.api.send("POST", f"{path}/cancellation", reason, key=key)


async def _changed(
    visit: Visit, closure_id: str, method: str, below: str, body: Mapping[str, object]
) -> Response:
    one = segment(closure_id)
    change = PreviewableCommand(
        method, f"/v1/closures/{one}{below}", body, f"/desk/closures/{one}", "closure-changed"
    )
    return await carry_out(visit, change, partial(_closure, visit, closure_id))


def _page_of(closure: Mapping[str, str]) -> str:
    """Return the path of a closure's page, which lists the activities that staff must attend to."""
    return f"/desk/closures/{segment(closure['id'])}"


async def _inside(visit: Visit, closure_id: str) -> Any:
    """Return the activities in a closure's days; None if the API has no answer."""
    reply = await visit.api.get(f"/v1/closures/{segment(closure_id)}/activities")
    return reply.json() if reply.done else None


def _hours(visit: Visit) -> dict[str, object]:
    """Return special hours, the same on each day of the week, if they were given."""
    opens, closes = visit.text("opens"), visit.text("closes")
    if not (opens or closes):
        return {}
    week = [{"weekday": day, "opens": opens, "closes": closes} for day in range(1, 8)]
    return {"hours": week}


async def _closures(visit: Visit, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get("/v1/closures"), branch_names(visit.api))
    return visit.page(
        "desk/closures.html",
        closures=asked.json()["items"],
        branches=names,
        kinds=KINDS,
        **forms.outcome(visit, refused),
    )


async def _closure(visit: Visit, closure_id: str, refused: Reply | None = None) -> Response:
    asked, activities, names = await asyncio.gather(
        visit.api.get(f"/v1/closures/{segment(closure_id)}"),
        _inside(visit, closure_id),
        branch_names(visit.api),
    )
    closure = asked.json()
    covered = {one["branch"]: names.get(one["branch"], one["name"]) for one in closure["covered"]}
    return visit.page(
        "desk/closure.html",
        closure=closure,
        activities=activities,
        most_decided=MOST_DECIDED,
        elsewhere={code: name for code, name in names.items() if code not in covered},
        branches=covered,
        kinds={kind: KINDS[kind] for kind in KINDS if kind in _kinds(closure)},
        **forms.outcomes(visit, refused, "reopening", "amendment", "withdrawal"),
    )


def _kinds(closure: dict[str, list[dict[str, str]]]) -> set[str]:
    return {one["kind"] for one in closure["covered"]}
