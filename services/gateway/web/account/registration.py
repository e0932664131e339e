"""Desk pages to register a patron, and to erase one."""

import asyncio
from typing import Any

import orjson
from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/patrons", marked("Register"))]},
    messages={"patron-erased": marked("The account is erased.")},
    problems={
        "not-settled": marked(
            "The account can't be erased yet. Take back the items, settle the charges and give "
            "back refunds first."
        ),
    },
    fields={
        "category": marked("Kind of card"),
        "born_on": marked("Date of birth"),
        "home_branch": marked("Home library"),
    },
)


_FIELDS = ("card_number", "pin", "name", "category", "home_branch", "language")


@router.get("/desk/patrons")
async def get_registration(request: DeskRequest) -> Response:
    """Show the form to register a patron."""
    return await _registration(request)


@router.post("/desk/patrons")
async def post_registration(request: DeskRequest) -> Response:
    """Register a patron and show who that is here: a message's cookie must not carry a name."""
    body = {name: request.text(name) for name in _FIELDS} | forms.given(request, "born_on")
    contact: dict[str, Any] = {**forms.given(request, "email", "phone")}
    if address := forms.postal_address(request):
        contact["postal_address"] = address
    reply = await request.send("POST", "/v1/patrons", {**body, "contact": contact})
    return await _registration(request, reply)


async def _registration(request: PageRequest, reply: Reply | None = None) -> Response:
    names, categories = await asyncio.gather(
        branch_names(request.api), forms.categories(request.api)
    )
    return request.page(
        "account/desk-patrons.html",
        branches=names,
        place=forms.desk_branch(request, names),
        categories=categories,
        registered=reply.json() if reply and reply.done else None,
        **forms.outcome(request, reply),
    )


@router.get("/desk/erasure")
async def get_erasure(request: DeskRequest) -> Response:
    """Show the form to find a patron by their card."""
    return _page(request)


@router.post("/desk/erasure")
async def post_erasure(request: DeskRequest) -> Response:
    """Show the card's holder for confirmation; erase the one who was confirmed."""
    patron = await forms.card_holder(request)
    if isinstance(patron, Failure):
        return _page(request, refused=patron)
    if request.text("patron_id") != patron["id"]:
        return _page(request, patron=patron)
    path = f"/v1/patrons/{segment(patron['id'])}"
    reply = await request.send("DELETE", path)
    if reply.done:
        return request.go("/desk/erasure", "patron-erased")
    return _page(request, patron=patron, refused=forms.refusal(reply), reply=reply)


def _page(
    request: PageRequest,
    *,
    patron: dict[str, Any] | None = None,
    refused: Failure | None = None,
    reply: Reply | None = None,
) -> Response:
    not_settled = reply is not None and refused is not None and refused.code == "not-settled"
    return request.page(
        "account/desk-erasure.html",
        patron=patron,
        **forms.outcome_of(request, refused),
        still_open=orjson.loads(reply.content) if reply and not_settled else None,
    )
