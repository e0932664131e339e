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
        "copy-moved": marked("The item belongs to %(library)s now. Send it there."),
        "copy-moves-later": marked(
            "The item belongs to %(library)s now. It goes there when it next comes back."
        ),
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
_ISBN = re.compile(r"97[89][0-9-]{10,14}|[0-9-]{9,12}[0-9Xx]")
_TITLES = "10"
"""Number of titles that the scan box lists; the catalogue shows all."""


@router.get("/desk/place")
async def get_place(request: DeskRequest, back: str = "/desk") -> Response:
    """Ask for the library of this desk."""
    return forms.ask_for_place(request, await branch_names(request.api), back)


@router.post("/desk/place")
async def post_place(request: DeskRequest) -> Response:
    """Remember the library of this desk, typed by its name or its code, or the beginning of one."""
    names = await branch_names(request.api)
    typed, back = request.text("place").casefold(), own_path(request.text("back"))
    exact = [code for code, name in names.items() if typed in (code.casefold(), name.casefold())]
    begun = [code for code, name in names.items() if typed and name.casefold().startswith(typed)]
    found = exact or begun
    if len(found) != 1:
        return forms.ask_for_place(request, names, back, Failure(422, "unknown-place"))
    message = FlashMessage("place-chosen", {"library": names[found[0]]})
    return forms.remember_branch(request, request.go(back, message), found[0])


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
        if found := by_card.items:
            return request.go(f"/desk/accounts/{segment(found[0]['id'])}")
        if copy.done:
            return request.go(f"/desk/copies/{segment(text)}")
    searched, listed, names = await asyncio.gather(
        api.send("POST", "/v1/patron-searches", {"text": text}) if len(text) > 1 else _nothing(),
        api.get("/v1/titles", q=text, limit=_TITLES),
        branch_names(api),
    )
    readers, titles = searched.items, listed.items
    if len(readers) == 1 and not titles:
        return request.go(f"/desk/accounts/{segment(readers[0]['id'])}")
    if len(titles) == 1 and not readers and _ISBN.fullmatch(text):
        return request.go(f"/desk/titles/{segment(titles[0]['id'])}")
    return request.page(
        "copies/desk-found.html",
        q=text,
        readers=readers,
        titles=titles,
        branches=names,
        isbn=_ISBN.fullmatch(text),
    )


async def _nothing() -> Reply:
    return Reply(404, b"")


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


@router.post("/desk/copies/{barcode}/move")
async def post_move(request: DeskRequest, barcode: str) -> Response:
    """Give a copy to another library, and send it there at once if it is on its shelf."""
    here, branch = f"/desk/copies/{segment(barcode)}", request.text("to")
    names = await branch_names(request.api)
    body = {"branch": branch, "send_now": True}
    reply = await request.send("PATCH", f"/v1/copies/{segment(barcode)}", body)
    if not reply.done:
        return request.refused(here, reply)
    sent = reply.json()["bound_for"] == branch
    facts = {"library": names.get(branch, branch)}
    return request.go(here, FlashMessage("copy-moved" if sent else "copy-moves-later", facts))


async def _change(
    request: PageRequest, barcode: str, change: str, body: dict[str, Any], message: str
) -> Response:
    here = f"/desk/copies/{segment(barcode)}"
    reply = await request.send("POST", f"/v1/copies/{segment(barcode)}/{change}", body)
    return request.go(here, message) if reply.done else request.refused(here, reply)


async def _copy(request: PageRequest, barcode: str) -> Response:
    path = f"/v1/copies/{segment(barcode)}"
    reply, past, names = await asyncio.gather(
        request.api.get(f"{path}/whereabouts"),
        request.api.get(f"{path}/history"),
        branch_names(request.api),
    )
    found = reply.json()
    holder = found["loan"] or found["hold"]
    return request.page(
        "copies/desk-copy.html",
        found=found,
        past=past.items,
        reader=await _reader(request.api, holder["patron_id"]) if holder else None,
        branches=names,
        place=forms.desk_branch(request, names),
        **forms.outcome(request, None),
    )


async def _reader(api: Api, patron_id: str) -> dict[str, Any]:
    """Return a patron's id and name; the name is empty while it can't be read."""
    reply = await api.get(f"/v1/patrons/{segment(patron_id)}")
    return {"id": patron_id, "name": reply.json()["name"] if reply.done else ""}
