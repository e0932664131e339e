"""Desk pages of a title's copies: add several at once, print their labels, change one."""

import asyncio
import re
from typing import Annotated, Any

from fastapi import Query, Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.barcodes import bars
from services.gateway.web.branches import branch_names
from services.gateway.web.catalogue.desk import NOW_STORED
from services.gateway.web.catalogue.fields import copy_body, of_form, stored_beside, texts_of_copy
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    messages={
        "copies-added": marked("%(number)s copies are added. Print their labels here."),
        "copy-changed": marked("The item is saved."),
    },
    problems={
        "barcode-taken": marked("Another item has this barcode already."),
        "too-many-copies": marked("This title has too many copies. Catalogue another one."),
        "first-barcode-needed": marked(
            "Type the first barcode to number from. It has to end in digits, as in LIB-00001."
        ),
        "no-barcodes-left": marked("These numbers are used up. Begin another series."),
        "no-copies-named": marked("Scan barcodes, or type how many copies to number."),
    },
    at_fault={
        "barcode-taken": "barcodes",
        "first-barcode-needed": "first_barcode",
        "no-barcodes-left": "first_barcode",
        "no-copies-named": "barcodes",
    },
    fields={
        "call_number": marked("Call number"),
        "count": marked("Number of copies"),
        "first_barcode": marked("First barcode"),
        "acquired_on": marked("Acquired on"),
    },
)

ON_SHEET = 24
"""Labels on a sheet of A4: three beside each other, in eight rows."""
MOST_LABELS = 4 * ON_SHEET
SCHEMES = {
    "ddc": "Dewey (DDC)",
    "lcc": "Library of Congress (LCC)",
    "ccl": "中文圖書分類法 (CCL)",
    "clc": "中国图书馆分类法 (CLC)",
    "nlm": "NLM",
    "udc": "UDC",
    "other": "–",
}
"""Names of the schemes of call numbers, which are the same in all languages."""
CATEGORIES = ("adult", "young-adult", "children")
Barcodes = Annotated[str, Query(max_length=4000)]


@router.get("/desk/titles/{title_id}/copies")
async def get_adding(request: DeskRequest, title_id: str) -> Response:
    """Show the form to add copies; it begins with what the newest copy has."""
    return await _adding(request, title_id, None)


@router.post("/desk/titles/{title_id}/copies")
async def post_copies(request: DeskRequest, title_id: str) -> Response:
    """Add copies with scanned barcodes, or with the next ones of a series; show their labels."""
    terms = copy_body(request) | {"branch": request.text("branch")}
    terms["record"] = {name: value for name, value in terms["record"].items() if value}
    if request.text("ordered"):
        terms["state"] = "on-order"
    path, scanned = f"/v1/titles/{segment(title_id)}", forms.barcodes(request)
    if scanned:
        body: Any = {"copies": [terms | {"barcode": barcode} for barcode in scanned]}
        reply = await request.send("POST", f"{path}/copies", body)
    elif count := request.number("count"):
        first = request.text("first_barcode") or None
        body = terms | {"count": count, "first_barcode": first}
        reply = await request.send("POST", f"{path}/numbered-copies", body)
    else:
        return await _adding(request, title_id, Failure(422, "no-copies-named"))
    if refused := forms.refusal(reply):
        return await _adding(request, title_id, of_form(refused))
    barcodes = scanned or reply.json()["barcodes"]
    there = f"/desk/titles/{segment(title_id)}/labels?barcodes={','.join(barcodes)}"
    response = request.go(there, FlashMessage("copies-added", {"number": len(barcodes)}))
    return forms.remember_branch(request, response, request.text("branch"))


async def _adding(request: PageRequest, title_id: str, refused: Failure | None) -> Response:
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/titles/{segment(title_id)}"), branch_names(request.api)
    )
    title = asked.json()
    newest = max(title["copies"], key=lambda copy: copy["copy_id"], default=None)
    texts = texts_of_copy(newest) if newest else {}
    return request.page(
        "catalogue/desk-copies.html",
        title=title,
        texts_now=texts | {"volume": ""},
        place=forms.desk_branch(request, names),
        branches=names,
        schemes=SCHEMES,
        categories=CATEGORIES,
        **forms.outcome_of(request, refused),
    )


@router.get("/desk/titles/{title_id}/labels")
async def get_labels(
    request: DeskRequest,
    title_id: str,
    barcodes: Barcodes = "",
    kind: Annotated[str, Query(pattern="^(barcodes|spines)?$")] = "",
    first: Annotated[int, Query(ge=1, le=ON_SHEET)] = 1,
) -> Response:
    """Show the labels of copies on sheets to print; of all that are not withdrawn if none is named.

    `first` is the place of the first label on a sheet that has been used in part.
    """
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/titles/{segment(title_id)}"), branch_names(request.api)
    )
    title, wanted = asked.json(), set(barcodes.split(",")) - {""}
    copies = [
        copy
        for copy in title["copies"]
        if (copy["barcode"] in wanted if wanted else copy["state"] != "withdrawn")
    ]
    left_out, copies = len(copies) > MOST_LABELS, copies[:MOST_LABELS]
    return request.page(
        "catalogue/desk-labels.html",
        title=title,
        copies=copies,
        bars={copy["barcode"]: bars(copy["barcode"]) for copy in copies},
        spines=[
            spine_lines(copy["call_number"]["number"], copy["volume"])
            for copy in copies
            if copy["call_number"]
        ],
        barcodes=barcodes,
        kind=kind,
        first=first,
        on_sheet=ON_SHEET,
        most=MOST_LABELS if left_out else None,
        branches=names,
    )


@router.get("/desk/copies/{barcode}/edit")
async def get_copy_form(request: DeskRequest, barcode: str) -> Response:
    """Show the form to change a copy."""
    return await _copy_form(request, barcode, None)


@router.post("/desk/copies/{barcode}/edit")
async def post_copy(request: DeskRequest, barcode: str) -> Response:
    """Change a copy, unless it has changed since the form was shown."""
    body = copy_body(request) | {"seen_version": forms.seen(request)}
    reply = await request.send("PATCH", f"/v1/copies/{segment(barcode)}", body)
    if reply.done:
        return request.go(f"/desk/copies/{segment(barcode)}", "copy-changed")
    return await _copy_form(request, barcode, reply)


async def _copy_form(request: PageRequest, barcode: str, reply: Reply | None) -> Response:
    copy = (await request.api.get(f"/v1/copies/{segment(barcode)}")).json()
    refused = forms.refusal(reply)
    shown = forms.outcome_of(request, of_form(refused) if refused else None)
    seen = forms.seen(request) if refused else copy["version"]
    if refused and refused.code == "changed-meanwhile":
        seen, text = copy["version"], request.language.say(NOW_STORED)
        shown["form"] = stored_beside(shown["form"], texts_of_copy(copy), text)
    return request.page(
        "catalogue/desk-copy-form.html",
        copy=copy,
        seen=seen,
        texts_now=texts_of_copy(copy),
        schemes=SCHEMES,
        categories=CATEGORIES,
        **shown,
    )


def spine_lines(call_number: str, volume: str | None) -> list[str]:
    """Return the lines of a spine label: the parts of the call number, and the volume.

    A Cutter number such as `.P98` begins a line, and so does the number after the letters of a
    class of the Library of Congress, such as `QA 76.73`.
    """
    spaced = re.sub(r"^([A-Z]{1,3})(?=\d)", r"\1 ", call_number)
    parts = re.split(r"\s+|(?=\.[A-Z])", spaced)
    return [part for part in (*parts, volume or "") if part]
