"""Desk pages of lending and returns.

The result of each item is shown in the response itself, not after a redirect: fifty results do not
fit into a message, and the form's key makes sending it again harmless.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Api, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

REWORDED = {"patron-blocked": "reader-blocked", "card-expired": "reader-card-expired"}
"""Codes of the desk's texts by the API's codes, whose texts are for readers."""

router = Pages(
    menus={
        "staff": [
            ("/desk", marked("Lend")),
            ("/desk/returns", marked("Return")),
        ],
    },
    problems={
        "reader-blocked": marked(
            "The reader can't borrow until their charges are paid or the staff unblock their "
            "account."
        ),
        "reader-card-expired": marked(
            "The reader's card has expired. Renew it in the reader's account, then lend again."
        ),
        "no-such-copy": marked("No item of the library has this barcode."),
        "copy-on-loan": marked(
            "This item is on loan. It has to be returned before it can be borrowed again."
        ),
        "copy-state": marked("The state of this item has changed in the meantime."),
        "not-on-loan": marked("This item is not on loan."),
        "copy-lost": marked("This item is recorded as lost."),
        "copy-kept": marked("This item is kept for another reader."),
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


@router.get("/desk")
async def get_lending(request: DeskRequest, branch: str = "") -> Response:
    """Show the form to lend, at the library of this desk: the one chosen now or the last time."""
    return await _page(request, "loans/desk-lending.html", chosen=branch, patron=None)


@router.post("/desk")
async def post_lending(request: DeskRequest) -> Response:
    """Lend copies to the holder of a card; each succeeds or fails alone."""
    card = request.text("card_number")
    lent: dict[str, Any] = {
        "card_number": card,
        "barcodes": forms.barcodes(request),
        "branch": request.text("branch"),
    }
    if request.text("override"):
        lent["override"] = {"reason": request.text("override")}
    reply, patron = await asyncio.gather(
        request.send("POST", "/v1/checkouts", lent), _patron(request.api, card)
    )
    return await _page(request, "loans/desk-lending.html", reply, patron=patron)


@router.get("/desk/returns")
async def get_returns(request: DeskRequest, branch: str = "") -> Response:
    """Show the form to return copies, at the library of this desk."""
    return await _page(request, "loans/desk-returns.html", chosen=branch)


@router.post("/desk/returns")
async def post_returns(request: DeskRequest) -> Response:
    """Return copies, on an earlier day if one is given."""
    back = {
        "barcodes": forms.barcodes(request),
        "branch": request.text("branch"),
        "channel": "desk",
        **forms.given(request, "at"),
    }
    reply = await request.send("POST", "/v1/returns", back)
    return await _page(request, "loans/desk-returns.html", reply)


async def _page(
    request: PageRequest,
    template: str,
    reply: Reply | None = None,
    *,
    chosen: str = "",
    **shown: Any,
) -> Response:
    done = reply is not None and reply.done
    results = reply.json()["results"] if reply and done else []
    names, titles, readers = await asyncio.gather(
        branch_names(request.api), _titles(request.api, results), _readers(request.api, results)
    )
    place = chosen if chosen in names else forms.desk_branch(request, names)
    response = request.page(
        template,
        branches=names,
        place=place,
        results=results,
        titles=titles,
        readers=readers,
        reworded=REWORDED,
        overridable=[
            one["barcode"] for one in results if (one.get("problem") or {}).get("may_be_overridden")
        ],
        blocked=any((one.get("problem") or {}).get("code") == "patron-blocked" for one in results),
        **forms.outcome_of_barcodes(request, reply),
        **shown,
    )
    if chosen in names or done:
        return forms.remember_branch(request, response, place)
    return response


async def _patron(api: Api, card: str) -> dict[str, Any] | None:
    reply = await api.get("/v1/patrons", card=card) if card else None
    found = reply.json()["items"] if reply and reply.done else []
    return found[0] if found else None


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
