"""Desk pages of fine suspensions."""

import asyncio
from collections.abc import Mapping
from functools import partial

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.closures.previews import PreviewableCommand, carry_out
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.words import KINDS
from shared.http.problems import NotFound
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/suspensions", marked("Suspensions of fines"))]},
    messages={
        "suspension-recorded": marked("The suspension of fines is recorded."),
        "suspension-changed": marked("The suspension of fines is changed."),
    },
    problems={
        "resumes-before-start": marked("Fines must restart after the first day without fines."),
        "suspension-withdrawn": marked("This suspension was withdrawn. Record a new one."),
        "suspension-over": marked(
            "This suspension has ended. You can withdraw it only as recorded in error."
        ),
    },
    at_fault={"resumes-before-start": "resumes_on"},
    fields={
        "starts_on": marked("First day without fines"),
        "resumes_on": marked("Fines restart on"),
    },
)


HOME = "/desk/suspensions"
API = "/v1/fine-suspensions"


@router.get("/desk/suspensions")
async def get_suspensions(request: DeskRequest) -> Response:
    """List suspensions, the last recorded first, with a form for a new one."""
    return await _suspensions(request)


@router.post("/desk/suspensions")
async def post_suspension(request: DeskRequest) -> Response:
    """Suspend fines, at all libraries if none are named."""
    body = {**forms.scope(request), **forms.given(request, "starts_on", "resumes_on", "reason")}
    change = PreviewableCommand("POST", API, body, HOME, "suspension-recorded")
    return await carry_out(request, change, partial(_suspensions, request))


@router.get("/desk/suspensions/{suspension_id}")
async def get_suspension(request: DeskRequest, suspension_id: str) -> Response:
    """Show a suspension with the forms that change it."""
    return await _suspension(request, suspension_id)


@router.post("/desk/suspensions/{suspension_id}/amendment")
async def post_amendment(request: DeskRequest, suspension_id: str) -> Response:
    """Announce when fines are counted again; without a day, cancel an announced one."""
    body = {
        "resumes_on": request.text("resumes_on") or None,
        **forms.given(request, "starts_on", "reason"),
    }
    return await _changed(request, suspension_id, "PATCH", "", body)


@router.post("/desk/suspensions/{suspension_id}/withdrawal")
async def post_withdrawal(request: DeskRequest, suspension_id: str) -> Response:
    """Withdraw a suspension, or declare that it was recorded in error."""
    body = {"in_error": bool(request.text("in_error")), "reason": request.text("reason")}
    return await _changed(request, suspension_id, "POST", "/withdrawal", body)


async def _changed(
    request: PageRequest, suspension_id: str, method: str, below: str, body: Mapping[str, object]
) -> Response:
    one = segment(suspension_id)
    change = PreviewableCommand(
        method, f"{API}/{one}{below}", body, f"{HOME}/{one}", "suspension-changed"
    )
    return await carry_out(request, change, partial(_suspension, request, suspension_id))


async def _suspensions(request: PageRequest, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(request.api.get(API), branch_names(request.api))
    return request.page(
        "closures/suspensions.html",
        suspensions=asked.json()["items"][::-1],
        branches=names,
        kinds=KINDS,
        **forms.outcome(request, refused),
    )


async def _suspension(
    request: PageRequest, suspension_id: str, refused: Reply | None = None
) -> Response:
    asked, names = await asyncio.gather(request.api.get(API), branch_names(request.api))
    found = [one for one in asked.json()["items"] if one["id"] == suspension_id]
    if not found:
        raise NotFound("suspension")
    return request.page(
        "closures/suspension.html",
        suspension=found[0],
        branches=names,
        kinds=KINDS,
        **forms.outcomes(request, refused, "amendment", "withdrawal"),
    )
