"""Desk pages to register patrons."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

_FIELDS = ("card_number", "pin", "name", "category", "home_branch", "language")


@router.get("/desk/patrons")
async def get_registration(visit: DeskVisit) -> Response:
    """Show the form to register a patron."""
    return await _registration(visit)


@router.post("/desk/patrons")
async def post_registration(visit: DeskVisit) -> Response:
    """Register a patron and show who that is here: a message's cookie must not carry a name."""
    body = {name: visit.text(name) for name in _FIELDS} | forms.given(visit, "born_on")
    contact = forms.given(visit, "email", "phone")
    reply = await visit.api.send("POST", "/v1/patrons", {**body, "contact": contact}, key=visit.key)
    return await _registration(visit, reply)


async def _registration(visit: Visit, reply: Reply | None = None) -> Response:
    names, categories = await asyncio.gather(branch_names(visit.api), forms.categories(visit.api))
    return visit.page(
        "desk/patrons.html",
        branches=names,
        place=forms.desk_branch(visit, names),
        categories=categories,
        registered=reply.json() if reply and reply.done else None,
        **forms.outcome(visit, reply),
    )
