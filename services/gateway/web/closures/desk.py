"""Desk pages of closures and reopenings."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.closures.previews import PreviewableCommand, carry_out
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from services.gateway.web.words import KINDS
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/closures", marked("Closures"))]},
    messages={
        "closure-recorded": marked(
            "The closure is recorded. Due dates are updated within minutes."
        ),
        "closure-changed": marked("The closure is changed. Due dates are updated within minutes."),
        "activities-decided": marked(
            "Activities that are changed: %(count)s. Registered readers are told."
        ),
    },
    problems={
        "no-such-closure": marked("There is no such closure."),
        "no-branch-covered": marked("No library matches your selection."),
        "closed-already": marked("This closure is recorded already."),
        "closure-withdrawn": marked("This closure was withdrawn. Record a new one."),
        "closure-over": marked(
            "This closure has ended. You can withdraw it only as recorded in error."
        ),
        "reopened-already": marked("Some of these libraries have reopened. Record a new closure."),
        "reopened-before-closed": marked("The reopening day must be after the first closed day."),
        "not-in-closure": marked("This closure does not cover all of these libraries."),
        "nothing-to-reopen": marked("All these libraries have reopened already."),
        "nothing-to-withdraw": marked("This closure has ended or was withdrawn already."),
    },
    at_fault={
        "no-branch-covered": "kinds",
        "not-in-closure": "kinds",
        "nothing-to-reopen": "kinds",
        "reopened-before-closed": "reopened_on",
    },
    fields={
        "from": marked("First closed day"),
        "reopened_on": marked("Reopening day"),
        "extra_renewals": marked("Extra renewals"),
        "services": marked("Open services"),
        "measures": marked("Please note"),
        "capacity": marked("Visitors at a time"),
        "stagger_days": marked("Days to spread due dates over"),
    },
)


MOST_DECIDED = 20
"""Number of activities that one form changes: each is a command of its own."""


@router.get("/desk/closures")
async def get_closures(request: DeskRequest) -> Response:
    """List closures, the last recorded first, with a form for a new one."""
    return await _closures(request)


@router.post("/desk/closures")
async def post_closure(request: DeskRequest) -> Response:
    """Close libraries."""
    relief = request.number("extra_renewals")
    body = {
        **forms.scope(request),
        **forms.given(request, "from", "reopened_on", "reason"),
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
    return await carry_out(request, change, partial(_closures, request))


@router.get("/desk/closures/{closure_id}")
async def get_closure(request: DeskRequest, closure_id: str) -> Response:
    """Show a closure with the forms that change it."""
    return await _closure(request, closure_id)


@router.post("/desk/closures/{closure_id}/reopening")
async def post_reopening(request: DeskRequest, closure_id: str) -> Response:
    """Announce a reopening and its terms; without a day, cancel an announced one."""
    terms = forms.numbers(request, "capacity", "stagger_days")
    listed = {name: forms.lines(request, name) for name in ("services", "measures")}
    body = {
        **forms.scope(request),
        "reopened_on": request.text("reopened_on") or None,
        **terms,
        **{name: values for name, values in listed.items() if values},
        **_hours(request),
    }
    return await _changed(request, closure_id, "POST", "/reopening", body)


@router.post("/desk/closures/{closure_id}/amendment")
async def post_amendment(request: DeskRequest, closure_id: str) -> Response:
    """Correct a closure's first day or its reason."""
    return await _changed(request, closure_id, "PATCH", "", forms.given(request, "from", "reason"))


@router.post("/desk/closures/{closure_id}/withdrawal")
async def post_withdrawal(request: DeskRequest, closure_id: str) -> Response:
    """Withdraw a closure, or declare that it was recorded in error."""
    body = {
        **forms.scope(request),
        "in_error": bool(request.text("in_error")),
        "reason": request.text("reason"),
    }
    return await _changed(request, closure_id, "POST", "/withdrawal", body)


@router.post("/desk/closures/{closure_id}/activities")
async def post_activities(request: DeskRequest, closure_id: str) -> Response:
    """Cancel or move the ticked activities, each on its own; registered patrons are notified.

    One that fails stays on the list, so staff press the button again.
    """
    chosen = request.texts("activity")[:MOST_DECIDED]
    replies = await asyncio.gather(*(_decided(request, one) for one in chosen))
    done = sum(reply.done for reply in replies)
    messages = [FlashMessage("activities-decided", {"count": done})] if done else []
    failed = [reply for reply in replies if forms.refusal(reply)]
    messages += [request.refusal(reply) for reply in failed[:1]]
    if not chosen:
        messages = [FlashMessage("nothing-chosen", went_well=False)]
    return request.go(f"/desk/closures/{segment(closure_id)}", *messages)


async def _decided(request: PageRequest, activity_id: str) -> Reply:
    path, key = f"/v1/activities/{segment(activity_id)}", request.key_of(activity_id)
    if request.text("decision") == "move":
        place = {"venue": request.text("venue"), "branch": request.text("branch") or None}
        return await request.api.send("PATCH", path, place, key=key)
    reason = {"reason": request.text("why")}
    return await request.api.send("POST", f"{path}/cancellation", reason, key=key)


async def _changed(
    request: PageRequest, closure_id: str, method: str, below: str, body: Mapping[str, object]
) -> Response:
    one = segment(closure_id)
    change = PreviewableCommand(
        method, f"/v1/closures/{one}{below}", body, f"/desk/closures/{one}", "closure-changed"
    )
    return await carry_out(request, change, partial(_closure, request, closure_id))


def _page_of(closure: Mapping[str, str]) -> str:
    """Return the path of a closure's page, which lists the activities that staff must attend to."""
    return f"/desk/closures/{segment(closure['id'])}"


async def _inside(request: PageRequest, closure_id: str) -> Any:
    """Return the activities in a closure's days; None if the API has no answer."""
    reply = await request.api.get(f"/v1/closures/{segment(closure_id)}/activities")
    return reply.json_or(None)


def _hours(request: PageRequest) -> dict[str, object]:
    """Return special hours, the same on each day of the week, if they were given."""
    opens, closes = request.text("opens"), request.text("closes")
    if not (opens or closes):
        return {}
    week = [{"weekday": day, "opens": opens, "closes": closes} for day in range(1, 8)]
    return {"hours": week}


async def _closures(request: PageRequest, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(request.api.get("/v1/closures"), branch_names(request.api))
    return request.page(
        "closures/closures.html",
        closures=asked.json()["items"],
        branches=names,
        kinds=KINDS,
        **forms.outcome(request, refused),
    )


async def _closure(request: PageRequest, closure_id: str, refused: Reply | None = None) -> Response:
    asked, activities, names = await asyncio.gather(
        request.api.get(f"/v1/closures/{segment(closure_id)}"),
        _inside(request, closure_id),
        branch_names(request.api),
    )
    closure = asked.json()
    covered = {one["branch"]: names.get(one["branch"], one["name"]) for one in closure["covered"]}
    return request.page(
        "closures/closure.html",
        closure=closure,
        activities=activities,
        most_decided=MOST_DECIDED,
        elsewhere={code: name for code, name in names.items() if code not in covered},
        branches=covered,
        kinds={kind: KINDS[kind] for kind in KINDS if kind in _kinds(closure)},
        **forms.outcomes(request, refused, "reopening", "amendment", "withdrawal"),
    )


def _kinds(closure: dict[str, list[dict[str, str]]]) -> set[str]:
    return {one["kind"] for one in closure["covered"]}
