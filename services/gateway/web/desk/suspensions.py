"""Desk pages of fine suspensions."""

import asyncio
from collections.abc import Mapping
from functools import partial

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk.changes import PreviewableCommand, carry_out
from services.gateway.web.desk_words import KINDS
from services.gateway.web.visit import DeskVisit, Visit
from shared.http.problems import NotFound

router = APIRouter(include_in_schema=False)

HOME = "/desk/suspensions"
API = "/v1/fine-suspensions"


@router.get("/desk/suspensions")
async def get_suspensions(visit: DeskVisit) -> Response:
    """List suspensions, the last recorded first, with a form for a new one."""
    return await _suspensions(visit)


@router.post("/desk/suspensions")
async def post_suspension(visit: DeskVisit) -> Response:
    """Suspend fines, at all libraries if none are named."""
    body = {**forms.scope(visit), **forms.given(visit, "starts_on", "resumes_on", "reason")}
    change = PreviewableCommand("POST", API, body, HOME, "suspension-recorded")
    return await carry_out(visit, change, partial(_suspensions, visit))


@router.get("/desk/suspensions/{suspension_id}")
async def get_suspension(visit: DeskVisit, suspension_id: str) -> Response:
    """Show a suspension with the forms that change it."""
    return await _suspension(visit, suspension_id)


@router.post("/desk/suspensions/{suspension_id}/amendment")
async def post_amendment(visit: DeskVisit, suspension_id: str) -> Response:
    """Announce when fines are counted again; without a day, cancel an announced one."""
    body = {
        "resumes_on": visit.text("resumes_on") or None,
        **forms.given(visit, "starts_on", "reason"),
    }
    return await _changed(visit, suspension_id, "PATCH", "", body)


@router.post("/desk/suspensions/{suspension_id}/withdrawal")
async def post_withdrawal(visit: DeskVisit, suspension_id: str) -> Response:
    """Withdraw a suspension, or declare that it was recorded in error."""
    body = {"in_error": bool(visit.text("in_error")), "reason": visit.text("reason")}
    return await _changed(visit, suspension_id, "POST", "/withdrawal", body)


async def _changed(
    visit: Visit, suspension_id: str, method: str, below: str, body: Mapping[str, object]
) -> Response:
    one = segment(suspension_id)
    change = PreviewableCommand(
        method, f"{API}/{one}{below}", body, f"{HOME}/{one}", "suspension-changed"
    )
    return await carry_out(visit, change, partial(_suspension, visit, suspension_id))


async def _suspensions(visit: Visit, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get(API), branch_names(visit.api))
    return visit.page(
        "desk/suspensions.html",
        suspensions=asked.json()["items"][::-1],
        branches=names,
        kinds=KINDS,
        **forms.outcome(visit, refused),
    )


async def _suspension(visit: Visit, suspension_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(visit.api.get(API), branch_names(visit.api))
    found = [one for one in asked.json()["items"] if one["id"] == suspension_id]
    if not found:
        raise NotFound("suspension")
    return visit.page(
        "desk/suspension.html",
        suspension=found[0],
        branches=names,
        kinds=KINDS,
        **forms.outcomes(visit, refused, "amendment", "withdrawal"),
    )
