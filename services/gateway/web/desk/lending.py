"""Desk pages of lending and returns.

The result of each item is shown in the response itself, not after a redirect: fifty results do not
fit into a message, and the form's key makes sending it again harmless.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Api, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk")
async def get_lending(visit: DeskVisit, branch: str = "") -> Response:
    """Show the form to lend, at the library of this desk: the one chosen now or the last time."""
    return await _page(visit, "desk/lending.html", chosen=branch, patron=None)


@router.post("/desk")
async def post_lending(visit: DeskVisit) -> Response:
    """Lend copies to the holder of a card; each succeeds or fails alone."""
    card = visit.text("card_number")
    lent = {
        "card_number": card,
        "barcodes": forms.barcodes(visit),
        "branch": visit.text("branch"),
    }
    reply, patron = await asyncio.gather(
        visit.api.send("POST", "/v1/checkouts", lent, key=visit.key), _patron(visit.api, card)
    )
    return await _page(visit, "desk/lending.html", reply, patron=patron)


@router.get("/desk/returns")
async def get_returns(visit: DeskVisit, branch: str = "") -> Response:
    """Show the form to return copies, at the library of this desk."""
    return await _page(visit, "desk/returns.html", chosen=branch)


@router.post("/desk/returns")
async def post_returns(visit: DeskVisit) -> Response:
    """Return copies, on an earlier day if one is given."""
    back = {
        "barcodes": forms.barcodes(visit),
        "branch": visit.text("branch"),
        "channel": "desk",
        **forms.given(visit, "at"),
    }
    reply = await visit.api.send("POST", "/v1/returns", back, key=visit.key)
    return await _page(visit, "desk/returns.html", reply)


async def _page(
    visit: Visit, template: str, reply: Reply | None = None, *, chosen: str = "", **shown: Any
) -> Response:
    done = reply is not None and reply.done
    results = reply.json()["results"] if reply and done else []
    names, titles, readers = await asyncio.gather(
        branch_names(visit.api), _titles(visit.api, results), _readers(visit.api, results)
    )
    place = chosen if chosen in names else forms.desk_branch(visit, names)
    response = visit.page(
        template,
        branches=names,
        place=place,
        results=results,
        titles=titles,
        readers=readers,
        blocked=any((one.get("problem") or {}).get("code") == "patron-blocked" for one in results),
        **forms.outcome_of_barcodes(visit, reply),
        **shown,
    )
    if chosen in names or done:
        return forms.remember_branch(visit, response, place)
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
