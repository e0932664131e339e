"""Desk pages behind the scan box: the library of the desk, what a code or a word is, and a copy."""

import asyncio
import re
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage, own_path
from shared.translations import marked

router = Pages(
    messages={
        "place-chosen": marked("This desk is at %(library)s."),
        "copy-taken-out": marked("The item is no longer lent."),
        "copy-recovered": marked("The item is lent again."),
    },
    problems={
        "unknown-place": marked("No library has this name. Choose one of the list."),
        "nothing-typed": marked("Scan a card or an item, or type a name or a title."),
    },
    at_fault={"unknown-place": "place"},
    fields={"place": marked("Library of this desk")},
)

_CODE = re.compile(r"[A-Za-z0-9-]{3,40}")
"""Card numbers and barcodes, as scanners type them."""
_TITLES = "10"
"""Number of titles that the scan box lists; the catalogue shows all."""


@router.get("/desk/place")
async def get_place(request: DeskRequest, back: str = "/desk") -> Response:
    """Ask for the library of this desk."""
    return await _place(request, back)


@router.post("/desk/place")
async def post_place(request: DeskRequest) -> Response:
    """Remember the library of this desk, typed by its name or its code, or the beginning of one."""
    names = await branch_names(request.api)
    typed, back = request.text("place").casefold(), own_path(request.text("back"))
    exact = [code for code, name in names.items() if typed in (code.casefold(), name.casefold())]
    begun = [code for code, name in names.items() if typed and name.casefold().startswith(typed)]
    found = exact or begun
    if len(found) != 1:
        return await _place(request, back, Failure(422, "unknown-place"))
    message = FlashMessage("place-chosen", {"library": names[found[0]]})
    return forms.remember_branch(request, request.go(back, message), found[0])


async def _place(request: PageRequest, back: str, refused: Failure | None = None) -> Response:
    names = await branch_names(request.api)
    return request.page(
        "copies/desk-place.html",
        branches=names,
        place=names.get(forms.desk_branch(request, names), ""),
        back=own_path(back),
        **forms.outcome_of(request, refused),
    )


@router.post("/desk/find")
async def post_find(request: DeskRequest) -> Response:
    """Go to the card or the copy with a code; else list the readers and titles of a text."""
    text, api = request.text("q")[:200], request.api
    if not text:
        return request.go("/desk", FlashMessage("nothing-typed", went_well=False))
    if _CODE.fullmatch(text):
        by_card, copy = await asyncio.gather(
            api.get("/v1/patrons", card=text), api.get(f"/v1/copies/{segment(text)}/whereabouts")
        )
        if found := _items(by_card):
            return request.go(f"/desk/accounts/{segment(found[0]['id'])}")
        if copy.done:
            return request.go(f"/desk/copies/{segment(text)}")
    searched, listed, names = await asyncio.gather(
        api.send("POST", "/v1/patron-searches", {"text": text}) if len(text) > 1 else _nothing(),
        api.get("/v1/titles", q=text, limit=_TITLES),
        branch_names(api),
    )
    readers, titles = _items(searched), _items(listed)
    if len(readers) == 1 and not titles:
        return request.go(f"/desk/accounts/{segment(readers[0]['id'])}")
    return request.page(
        "copies/desk-found.html", q=text, readers=readers, titles=titles, branches=names
    )


async def _nothing() -> Reply:
    return Reply(404, b"")


def _items(reply: Reply) -> list[dict[str, Any]]:
    return reply.json()["items"] if reply.done else []


@router.get("/desk/copies/{barcode}")
async def get_copy(request: DeskRequest, barcode: str) -> Response:
    """Show what a copy is, where it belongs, and who has it or is to get it."""
    return await _copy(request, barcode)


@router.post("/desk/copies/{barcode}/removal")
async def post_removal(request: DeskRequest, barcode: str) -> Response:
    """Take a copy out of lending."""
    body = {"fault": request.text("fault")}
    return await _change(request, barcode, "removal", body, "copy-taken-out")


@router.post("/desk/copies/{barcode}/recovery")
async def post_recovery(request: DeskRequest, barcode: str) -> Response:
    """Put a copy back into lending, at the library of this desk."""
    body = {"branch": request.text("branch")}
    return await _change(request, barcode, "recovery", body, "copy-recovered")


async def _change(
    request: PageRequest, barcode: str, change: str, body: dict[str, Any], message: str
) -> Response:
    here = f"/desk/copies/{segment(barcode)}"
    reply = await request.send("POST", f"/v1/copies/{segment(barcode)}/{change}", body)
    return request.go(here, message) if reply.done else request.refused(here, reply)


async def _copy(request: PageRequest, barcode: str) -> Response:
    path = f"/v1/copies/{segment(barcode)}/whereabouts"
    reply, names = await asyncio.gather(request.api.get(path), branch_names(request.api))
    found = reply.json()
    holder = found["loan"] or found["hold"]
    return request.page(
        "copies/desk-copy.html",
        found=found,
        reader=await _reader(request.api, holder["patron_id"]) if holder else None,
        branches=names,
        place=forms.desk_branch(request, names),
        **forms.outcome(request, None),
    )


async def _reader(api: Api, patron_id: str) -> dict[str, Any]:
    """Return a patron's id and name; the name is empty while it can't be read."""
    reply = await api.get(f"/v1/patrons/{segment(patron_id)}")
    return {"id": patron_id, "name": reply.json()["name"] if reply.done else ""}
