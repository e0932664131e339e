"""Pages of a title and of reservations: reserve, change, pause and cancel."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names, home_branch, names_of
from services.gateway.web.family.patron import OF_MEMBER, member_names, no_members
from services.gateway.web.holds.citation import citations
from services.gateway.web.holds.search import holds_of, lists_of
from services.gateway.web.page_request import Anyone, PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.deadlines import allowed
from shared.translations import marked

router = Pages(
    messages={
        "hold-placed": marked("Reserved. You are number %(position)s in the queue."),
        "hold-likely": marked(
            "Reserved. You are number %(position)s in the queue. It is likely to be ready by "
            "%(ready_on)s; this is an estimate, not a promise."
        ),
        "hold-kept": marked(
            "Reserved. A copy is kept for you. We'll tell you when you can collect it."
        ),
        "hold-changed": marked("Your reservation was changed."),
        "hold-frozen": marked("Your reservation is paused. You keep your place in the queue."),
        "hold-resumed": marked("Your reservation is active again."),
        "hold-cancelled": marked("Your reservation was cancelled."),
        "member-hold-placed": marked("Reserved for the other card."),
    },
    problems={
        "no-such-hold": marked("This reservation was not found. It may have ended."),
        "no-such-title": marked("There is no such title."),
        "which-volume": marked("This title has several volumes. Please choose the one you want."),
        "no-such-volume": marked("The library has no copy of this volume. Please choose another."),
        "no-such-work": marked("There is no such title."),
        "on-site-only": marked("This item is for use in the library only."),
        "available-now": marked(
            "A copy is available now, so there is nothing to reserve. You can borrow it at its "
            "library."
        ),
        "pickup-at-owner": marked(
            "This title can be collected only at a library that owns it. Please choose one of them."
        ),
        "hold-limit": marked("You've reached the limit of reservations at one time."),
        "hold-exists": marked("You have reserved this title already."),
        "title-on-loan": marked("You have this title on loan, so you cannot reserve it."),
        "hold-ended": marked("This reservation has ended."),
        "hold-not-waiting": marked(
            "You can't change this reservation: a copy is already kept for you or on its way."
        ),
        "ends-before-today": marked("This day has passed already."),
    },
    at_fault={
        "ends-before-today": "expires_on",
        "pickup-at-owner": "pickup_branch",
        "which-volume": "volume",
        "no-such-volume": "volume",
    },
    fields={
        "pickup_branch": marked("Pick-up library"),
        "expires_on": marked("Not needed after"),
        "volume": marked("Volume"),
    },
)


MORE = 5
"""Titles by the same author that the page of a title shows."""
TERMS_SECONDS = 0.3
"""Time limit for the terms of a hold, without which the page does."""


@router.get("/catalogue/{title_id}")
async def get_title(request: Anyone, title_id: str) -> Response:
    """Show a title with the places of its copies and a form to reserve it."""
    return await _title(request, title_id)


@router.post("/catalogue/{title_id}")
async def post_hold(request: PatronRequest, title_id: str) -> Response:
    """Reserve the title, for the visitor or for a patron whose card is linked with theirs."""
    work_id = request.text("any_edition")
    wanted = {
        **({"work_id": work_id} if work_id else {"title_id": title_id}),
        "volume": None if work_id else request.text("volume") or None,
        "pickup_branch": request.text("pickup_branch"),
        "expires_on": request.text("expires_on") or None,
        "patron_id": request.text("patron_id") or None,
    }
    reply = await request.send("POST", "/v1/holds", wanted)
    here = f"/catalogue/{segment(title_id)}"
    if reply.status in (409, 422):
        refused = (
            forms.reworded(reply.failure(), OF_MEMBER) if wanted["patron_id"] else reply.failure()
        )
        return await _title(request, title_id, refused=refused)
    if wanted["patron_id"] and not reply.done and reply.failure().code == "no-such-patron":
        return request.go(here, FlashMessage("not-linked", went_well=False))
    hold = reply.json()
    if wanted["patron_id"]:
        return request.go(here, "member-hold-placed")
    if hold["position"] is None:
        return request.go(here, "hold-kept")
    facts = {"position": hold["position"]}
    waiting = await request.api.get(_path_of_hold(hold["id"]))
    if waiting.done and (likely := waiting.json()["likely_ready_by"]):
        message = FlashMessage("hold-likely", facts | {"ready_on": likely["day"]})
        return request.go(here, message)
    return request.go(here, FlashMessage("hold-placed", facts))


async def _title(
    request: PageRequest, title_id: str, *, refused: Failure | None = None
) -> Response:
    is_patron = request.is_patron
    asked, names, home, members, lists, holds = await asyncio.gather(
        request.api.get(f"/v1/titles/{segment(title_id)}"),
        branch_names(request.api),
        home_branch(request),
        member_names(request.api) if is_patron else no_members(),
        lists_of(request),
        holds_of(request),
    )
    title = asked.json()
    asks_terms = is_patron and home and not refused
    terms, more = await asyncio.gather(
        _terms(request, title_id, home) if asks_terms else no_terms(), _more(request, title)
    )
    order = list(names_of((stock["branch"] for stock in title["availability"]), names))
    title["availability"].sort(key=lambda stock: order.index(stock["branch"]))
    return request.page(
        "holds/title.html",
        title=title,
        shelves=_shelves(title["copies"]),
        # Without names it can still be reserved for the libraries that have a copy.
        branches=names or {stock["branch"]: stock["branch"] for stock in title["availability"]},
        home=home,
        members=members,
        lists=lists,
        hold=next((one["id"] for one in holds if _is_for(one, title)), None),
        terms=terms,
        more=more,
        citations=citations(title),
        link=request.site + f"/catalogue/{segment(title_id)}",
        **forms.outcome_of(request, refused),
    )


def _is_for(hold: Mapping[str, Any], title: Mapping[str, Any]) -> bool:
    """Return whether a hold is for this title, or for any edition of its work."""
    of_work = hold["any_edition"] and hold["work_id"] == title["work_id"]
    return bool(of_work) or hold["title_id"] == title["id"]


def _shelves(copies: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Return the call numbers and places of copies at each branch, in the order of the shelves."""
    found: dict[str, dict[str, None]] = {}
    numbers = {copy["barcode"]: copy["call_number"] or {} for copy in copies}
    for copy in sorted(copies, key=lambda one: numbers[one["barcode"]].get("shelf_order", "")):
        number = numbers[copy["barcode"]].get("number")
        label = " · ".join(filter(None, (number, copy["shelf_location"], copy["collection"])))
        if label and copy["state"] != "withdrawn":
            found.setdefault(copy["branch"], {})[label] = None
    return {branch: list(labels) for branch, labels in found.items()}


async def _more(request: PageRequest, title: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return other titles by its first author; none if they can't be read."""
    if not title["authors"]:
        return []
    reply = await request.api.get(
        "/v1/titles", author=title["authors"][0][:200], sort="newest", limit=str(MORE + 1)
    )
    found = reply.json()["items"] if reply.done else []
    others = {title["id"], *(edition["id"] for edition in title["editions"])}
    return [one for one in found if one["id"] not in others][:MORE]


async def no_terms() -> None:
    """Return no terms of a hold."""


async def _terms(request: PageRequest, title_id: str, branch: str) -> dict[str, Any] | None:
    """Return the terms of a hold for the visitor at a library; None if it would be refused."""
    wanted = {"title_id": title_id, "pickup_branch": branch}
    try:
        async with asyncio.timeout(allowed(TERMS_SECONDS)):
            reply = await request.api.send("POST", "/v1/holds", wanted, preview="true")
    except TimeoutError:
        return None
    terms: dict[str, Any] | None = reply.json_or(None)
    return terms


@router.get("/holds/{hold_id}")
async def get_hold(request: PatronRequest, hold_id: str) -> Response:
    """Show a reservation with a form to change it."""
    return await _hold(request, hold_id)


async def _hold(request: PageRequest, hold_id: str, refused: Failure | None = None) -> Response:
    overview, names, waiting = await asyncio.gather(
        request.api.get("/v1/me"),
        branch_names(request.api),
        request.api.get(_path_of_hold(hold_id)),
    )
    hold = next((one for one in overview.json()["holds"] if one["id"] == hold_id), None)
    if hold is None:
        raise Failure(404, "no-such-hold")
    return request.page(
        "holds/hold.html",
        hold=hold,
        branches=names,
        likely=waiting.json()["likely_ready_by"] if waiting.done else None,
        **forms.outcome_of(request, refused),
    )


@router.post("/holds/{hold_id}")
async def post_change(request: PatronRequest, hold_id: str) -> Response:
    """Change the pick-up library, or the last day on which the item is wanted."""
    change: dict[str, Any] = {"expires_on": request.text("expires_on") or None}
    if request.text("pickup_branch"):
        change["pickup_branch"] = request.text("pickup_branch")
    reply = await request.send("PATCH", _path_of_hold(hold_id), change)
    if reply.done:
        return request.go("/", "hold-changed")
    return await _hold(request, hold_id, reply.refusal(409, 422))


@router.post("/holds/{hold_id}/pause")
async def post_pause(request: PatronRequest, hold_id: str) -> Response:
    """Pause a reservation so that others are served first, or resume it."""
    frozen = request.text("frozen") == "yes"
    reply = await request.send("PATCH", _path_of_hold(hold_id), {"frozen": frozen})
    if not reply.done:
        return request.refused(f"/holds/{segment(hold_id)}", reply)
    return request.go("/", "hold-frozen" if frozen else "hold-resumed")


@router.post("/holds/{hold_id}/cancellation")
async def post_cancellation(request: PatronRequest, hold_id: str) -> Response:
    """Cancel a reservation."""
    reply = await request.send("DELETE", _path_of_hold(hold_id))
    if not reply.done:
        return request.refused("/", reply)
    return request.go("/", "hold-cancelled")


def _path_of_hold(hold_id: str) -> str:
    return f"/v1/holds/{segment(hold_id)}"
