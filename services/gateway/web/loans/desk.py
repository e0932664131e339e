"""Desk pages of lending and returns, where each scan is answered at once in a list, and slips.

The answer to each scan is shown in the response itself, not after a redirect: the form's key makes
sending it again harmless. The list is carried by the page: a script adds each answer to it, and
without scripts the form sends it along.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.loans.lines import MOST, Line, after_undo, carried, of_result
from services.gateway.web.page_request import DeskRequest, PageRequest, Today
from services.gateway.web.pages import Pages
from shared.clock import library_day
from shared.http.dependencies import business_time
from shared.translations import marked

LEND = "/desk/lend"
AWAY = 503
"""Status of the answer of a service that can't be reached."""
OF_UNDO = dict.fromkeys(("loan-not-open", "no-such-loan", "too-late-to-undo"), "undo-too-late")
"""Codes of the texts of an undo by the API's codes."""

router = Pages(
    menus={
        "staff": [
            ("/desk/lend", marked("Lend")),
            ("/desk/returns", marked("Return")),
        ],
    },
    messages={"receipt-sent": marked("The receipt is sent by e-mail.")},
    problems={
        "nothing-borrowed": marked("Nothing was borrowed here today."),
        "reader-blocked": marked(
            "The account is blocked, so the reader can't borrow, renew or reserve. Its state says "
            "why."
        ),
        "reader-card-expired": marked("The reader's card has expired."),
        "undo-too-late": marked(
            "This can't be undone any more. Return the item, or lend it again."
        ),
        "no-such-copy": marked("No item of the library has this barcode."),
        "copy-on-loan": marked(
            "This item is on loan. It has to be returned before it can be borrowed again."
        ),
        "copy-state": marked("The state of this item has changed in the meantime."),
        "not-on-loan": marked("This item is not on loan."),
        "copy-lost": marked("This item is recorded as lost."),
        "copy-kept": marked(
            "This item is kept for another reader. Scan it as a return to see where it belongs."
        ),
        "copy-damaged": marked("This item is recorded as damaged."),
        "copy-not-ready": marked(
            "This item is still on order or in process. Scan it as a return first, then lend it."
        ),
        "copy-withdrawn": marked("This item is no longer lent."),
        "lost-by-patron": marked("A reader reported this item as lost. Return it first."),
        "loan-limit": marked("The reader has reached the loan limit."),
        "in-the-future": marked("This day is in the future. Enter today or an earlier day."),
        "returned-before-borrowed": marked("The item was borrowed after that day."),
    },
    at_fault={"in-the-future": "at"},
    fields={
        "barcodes": marked("Barcodes"),
        "at": marked("Returned on"),
    },
)


@router.get("/desk/lend")
async def get_lending(request: DeskRequest, reader: str = "") -> Response:
    """Ask for a card; with the id of a reader, show who it is and take scans for them."""
    return await _lending(request, reader_id=reader)


@router.post("/desk/lend")
async def post_lending(request: DeskRequest) -> Response:
    """Find the holder of a card, lend them one scan, or undo the last."""
    card, scans = request.text("card_number"), forms.barcodes(request)
    again = not scans and bool(request.text("override"))
    if not (scans or again or request.text("undo")):
        holder = await forms.card_holder(request)
        if isinstance(holder, Failure) and holder.status == AWAY:
            return await _lending(request)  # circulation lends without accounts
        if isinstance(holder, Failure):
            outcome = forms.outcome_of(request, holder)
            return await _lending(request, outcome=outcome)
        return request.go(f"/desk/lend?{urlencode({'reader': holder['id']})}")
    if request.text("undo"):
        return await _undo(request, "check-out")
    lent: dict[str, Any] = {
        "card_number": card,
        "barcodes": [request.text("refused")] if again else scans,
        "branch": request.text("branch"),
    }
    if again:
        lent["override"] = {"reason": request.text("override")}
    reply = await request.send("POST", "/v1/checkouts", lent)
    new = await _lines(request.api, reply)
    if len(new) == 1 and new[0].code == "no-such-copy" and not again:
        # The next reader's card, scanned at once.
        found = await request.api.get("/v1/patrons", card=new[0].barcode)
        if found.done and (items := found.json()["items"]):
            return request.go(f"/desk/lend?{urlencode({'reader': items[0]['id']})}")
    return await _answer(request, reply, new)


@router.get("/desk/returns")
async def get_returns(request: DeskRequest) -> Response:
    """Take scans of items that come back to the library of this desk."""
    return await _returns(request)


@router.post("/desk/returns")
async def post_returns(request: DeskRequest) -> Response:
    """Take one scan back, on an earlier day if one is given, or undo the last."""
    if request.text("undo"):
        return await _undo(request, "return")
    back = {
        "barcodes": forms.barcodes(request),
        "branch": request.text("branch"),
        "channel": "desk",
        **forms.given(request, "at"),
    }
    reply = await request.send("POST", "/v1/returns", back)
    return await _answer(request, reply, await _lines(request.api, reply))


@router.post("/desk/slips/receipts/{patron_id}")
async def post_receipt(request: DeskRequest, patron_id: str) -> Response:
    """Send a reader the receipt of what they borrowed here today, by e-mail."""
    names = await branch_names(request.api)
    body = {"branch": forms.desk_branch(request, names)}
    reply = await request.send("POST", f"/v1/loans/receipts/{segment(patron_id)}", body)
    here = f"/desk/slips/receipts/{segment(patron_id)}"
    return request.go(here, "receipt-sent") if reply.done else request.refused(here, reply)


@router.get("/desk/slips/receipts/{patron_id}")
async def get_receipt(request: DeskRequest, patron_id: str, today: Today) -> Response:
    """Show a slip with what a reader borrowed today, and when it is due."""
    path = f"/v1/patrons/{segment(patron_id)}"
    query = {"patron": patron_id, "out_only": "true", "limit": "200"}
    patron, listed, names = await asyncio.gather(
        request.api.get(path), request.api.get("/v1/loans", **query), branch_names(request.api)
    )
    day = today.isoformat()
    loans = [one for one in listed.json()["items"] if one["borrowed_on"] == day]
    return _slip(request, names, kind="receipt", patron=patron.json(), loans=loans)


@router.get("/desk/slips/copies/{barcode}")
async def get_copy_slip(request: DeskRequest, barcode: str) -> Response:
    """Show the slip that goes with a copy in transit or on the hold shelf."""
    path = f"/v1/copies/{segment(barcode)}/whereabouts"
    reply, names = await asyncio.gather(request.api.get(path), branch_names(request.api))
    found = reply.json()
    hold = found["hold"]
    readers = await _readers(request.api, [found])
    reader = readers.get(hold["patron_id"], "") if hold else ""
    return _slip(request, names, kind="copy", found=found, reader=reader)


@router.get("/desk/slips/charges/{charge_id}")
async def get_charge_slip(request: DeskRequest, charge_id: str) -> Response:
    """Show a slip with a charge and what is left to pay of it."""
    path = f"/v1/charges/{segment(charge_id)}"
    reply, names = await asyncio.gather(request.api.get(path), branch_names(request.api))
    return _slip(request, names, kind="charge", charge=reply.json())


def _slip(request: PageRequest, names: Mapping[str, str], **shown: Any) -> Response:
    place = forms.desk_branch(request, names)
    none: dict[str, Any] = dict.fromkeys(("patron", "loans", "found", "reader", "charge"))
    at = business_time(request.http).isoformat()
    return request.page(
        "loans/desk-slip.html", branches=names, place=place, at=at, **(none | shown)
    )


async def _undo(request: PageRequest, step: str) -> Response:
    """Undo the newest line; it stays in the list as undone."""
    loan_id = request.text("undo")
    body = {"step": step, "branch": request.text("branch")}
    reply = await request.send("POST", f"/v1/loans/{segment(loan_id)}/undo", body)
    lines = carried(request)
    if reply.done:
        undone = reply.json()
        lines = [after_undo(one, undone) if one.loan == loan_id else one for one in lines]
    refused = forms.reworded(forms.refusal(reply), OF_UNDO)
    return await _whole(request, lines, forms.outcome_of(request, refused))


async def _answer(request: PageRequest, reply: Reply, new: Sequence[Line]) -> Response:
    """Answer a scan: to the script of the page with its lines, else with the whole page."""
    if "carrel-scan" in request.http.headers and reply.done:
        # An answer to a scan does without the names of libraries, unless one is new.
        names: Mapping[str, str] = request.api.last_names
        if not {line.to for line in new if line.to} <= names.keys():
            names = await branch_names(request.api)
        return request.page(
            "loans/desk-answer.html",
            lines=new,
            branches=names,
            place=forms.desk_branch(request, names),
            lending=request.http.url.path == LEND,
        )
    lines = [*reversed(new), *carried(request)]
    return await _whole(request, lines, forms.outcome_of_barcodes(request, reply))


async def _whole(
    request: PageRequest, lines: Sequence[Line], outcome: Mapping[str, Any]
) -> Response:
    shown = _lending if request.http.url.path == LEND else _returns
    return await shown(request, lines=lines, outcome=outcome)


async def _lending(
    request: PageRequest,
    *,
    reader_id: str = "",
    lines: Sequence[Line] = (),
    outcome: Mapping[str, Any] | None = None,
) -> Response:
    names = await branch_names(request.api)
    if not forms.desk_branch(request, names):
        return forms.ask_for_place(request, names, LEND)
    patron, card = None, request.text("card_number")
    if reader_id:
        patron = (await request.api.get(f"/v1/patrons/{segment(reader_id)}")).json()
    elif card:
        reply = await request.api.get("/v1/patrons", card=card)
        patron = next(iter(reply.json()["items"]), None) if reply.done else None
        card = card if reply.status == AWAY else ""
    facts = await _facts(request.api, patron["id"]) if patron else {}
    shown = {
        "patron": patron,
        "card": patron["card_number"] if patron else card,
        **facts,
        **(outcome or forms.outcome_of(request, None)),
    }
    return _page(request, "loans/desk-lending.html", names, lines, **shown)


async def _returns(
    request: PageRequest,
    *,
    lines: Sequence[Line] = (),
    outcome: Mapping[str, Any] | None = None,
) -> Response:
    names = await branch_names(request.api)
    if not forms.desk_branch(request, names):
        return forms.ask_for_place(request, names, "/desk/returns")
    shown = outcome or forms.outcome_of(request, None)
    return _page(request, "loans/desk-returns.html", names, lines, **shown)


def _page(
    request: PageRequest,
    template: str,
    names: Mapping[str, str],
    lines: Sequence[Line],
    **shown: Any,
) -> Response:
    return request.page(
        template,
        branches=names,
        place=forms.desk_branch(request, names),
        lines=lines[:MOST],
        lending=request.http.url.path == LEND,
        today=library_day(business_time(request.http), request.zone).isoformat(),
        **shown,
    )


async def _facts(api: Api, patron_id: str) -> dict[str, Any]:
    """Return what a reader owes and has reserved; None for what can't be read now."""
    path = f"/v1/patrons/{segment(patron_id)}"
    charges, holds, notes = await asyncio.gather(
        api.get(f"{path}/charges", open_only="true", limit="200"),
        api.get("/v1/holds", patron=patron_id, limit="200"),
        api.get(f"{path}/notes"),
    )
    ready = [one for one in holds.json()["items"] if one["state"] == "ready"] if holds.done else []
    titles = await _titles(api, [{"loan": one} for one in ready])
    return {
        "notes": notes.json()["items"] if notes.done else [],
        "charges": charges.json_or(None),
        "holds": [{**one, "title": titles.get(one["title_id"], "")} for one in ready]
        if holds.done
        else None,
    }


async def _lines(api: Api, reply: Reply) -> list[Line]:
    """Return the lines of the results of a command, in its order; none if it was refused."""
    results = reply.json()["results"] if reply.done else []
    titles, readers = await asyncio.gather(_titles(api, results), _readers(api, results))
    return [of_result(one, titles, readers) for one in results]


async def _titles(api: Api, results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return titles by id. A title that the API cannot find is left out; its barcode is shown."""
    items = [result.get("loan") or result.get("copy") for result in results]
    return await _named(api, "/v1/titles", "title", {item["title_id"] for item in items if item})


async def _readers(api: Api, results: Iterable[dict[str, Any]]) -> dict[str, str]:
    """Return the names, by id, of the patrons that the copies are kept for."""
    holds = [result.get("hold") for result in results]
    return await _named(api, "/v1/patrons", "name", {hold["patron_id"] for hold in holds if hold})


async def _named(api: Api, path: str, field: str, ids: Collection[str]) -> dict[str, str]:
    """Return a field of some objects, by id; those that the API cannot find are left out."""
    replies = await asyncio.gather(*(api.get(f"{path}/{segment(one)}") for one in ids))
    return {one: reply.json()[field] for one, reply in zip(ids, replies, strict=True) if reply.done}
