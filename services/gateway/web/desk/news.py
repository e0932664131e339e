"""Desk pages of notices of a library or of all libraries."""

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import KINDS
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/notices")
async def get_notice_form(visit: DeskVisit) -> Response:
    """Show the form for a notice."""
    return await _form(visit)


@router.post("/desk/notices")
async def post_notice(visit: DeskVisit) -> Response:
    """Publish a notice, and go to the public list of notices."""
    body = {**forms.scope(visit), "title": visit.text("title"), "content": visit.text("content")}
    reply = await visit.api.send("POST", "/v1/notices", body, key=visit.key)
    if not reply.done:
        return await _form(visit, reply)
    return visit.go("/notices", FlashMessage("notice-published", {}))


async def _form(visit: Visit, refused: Reply | None = None) -> Response:
    return visit.page(
        "desk/notices.html",
        branches=await branch_names(visit.api),
        kinds=KINDS,
        **forms.outcome(visit, refused),
    )
