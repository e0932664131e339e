"""Pages of My Info, messages and the reading history."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
from services.gateway.web.page_request import PatronRequest
from services.gateway.web.pages import Pages
from shared.http.dependencies import BusinessTime
from shared.translations import marked

router = Pages(
    menus={
        "patron": [
            ("/info", marked("My Info")),
            ("/inbox", marked("Messages")),
        ],
    },
)


@router.get("/info")
async def get_info(request: PatronRequest, now: BusinessTime) -> Response:
    """Show the two tables."""
    reply, names = await asyncio.gather(request.api.get("/v1/me/info"), branch_names(request.api))
    info = reply.json()
    for table in info.keys() - {"sources"}:
        info[table] = [worded(row, request.language.code) for row in info[table]]
    for activity in info["activities"]:
        activity["begun"] = datetime.fromisoformat(activity["starts_at"]) <= now
    return request.page("account/info.html", info=info, branches=names)


ROWS = "50"
_THINGS = ("loan", "hold", "enquiry", "activity", "booking", "season", "charge", "payment")
"""Things that messages are about, the widest first: a charge for a lost item is of its loan."""
_PAGES = {
    "hold": "/holds",
    "loan": "/loans",
    "charge": "/charges",
    "payment": "/payments",
    "enquiry": "/enquiries",
    "activity": "/activities",
    "booking": "/study-bookings",
    "season": "/study-rooms",
    "title": "/catalogue",
}
"""Paths of pages about things, in the order in which they are preferred."""
_OF_KINDS = (
    ("card", "/card"),
    ("linked", "/family"),
    ("invited", "/family"),
    ("alert.", "/setting"),
    ("fines.", "/#charges"),
)
"""Pages by a part of the kind of a message that names no thing."""


@router.get("/inbox")
async def get_inbox(request: PatronRequest, after: str = "") -> Response:
    """List the newest messages, or those after `after`; those about one thing stand together."""
    query = {"after": after} if after else {}
    reply, overview = await asyncio.gather(
        request.api.get("/v1/me/inbox", limit=ROWS, **query), request.api.get("/v1/me")
    )
    inbox, account = reply.json(), overview.json_or({})
    threads: dict[str, list[dict[str, Any]]] = {}
    for one in inbox["items"]:
        threads.setdefault(_thing(one["about"]) or one["id"], []).append(one)
    there = {kind: {one["id"] for one in account.get(f"{kind}s", ())} for kind in ("loan", "hold")}
    return request.page(
        "account/inbox.html",
        inbox=inbox,
        threads=[(items, _link(items, there)) for items in threads.values()],
        after=after,
    )


def _thing(about: Mapping[str, Any]) -> str:
    """Return what a message is about, such as "loan 1", of several facts the widest; "" if none."""
    return next(
        (f"{kind} {about[f'{kind}_id']}" for kind in _THINGS if about.get(f"{kind}_id")), ""
    )


def _link(items: Sequence[Mapping[str, Any]], there: Mapping[str, Collection[str]]) -> str:
    """Return the path of the page about messages' thing; "" if it has none any more.

    `there` has the ids of open loans and holds: those that have ended have no page.
    """
    for one in items:
        for kind, path in _PAGES.items():
            found = str(one["about"].get(f"{kind}_id") or "")
            if found and found in there.get(kind, (found,)):
                return f"{path}/{segment(found)}"
    return next((path for one in items for kind, path in _OF_KINDS if kind in one["kind"]), "")


@router.post("/inbox/read")
async def post_read(request: PatronRequest) -> Response:
    """Mark messages as read: one, or all on the page."""
    paths = [f"/v1/me/inbox/{segment(message)}/read" for message in request.texts("message")]
    for reply in await asyncio.gather(*(request.api.send("POST", path) for path in paths)):
        reply.succeed()
    return request.go("/inbox")


@router.get("/history")
async def get_history(request: PatronRequest, after: str = "") -> Response:
    """List past loans, one page at a time."""
    query = {"after": after} if after else {}
    reply, years = await asyncio.gather(
        request.api.get("/v1/me/history", **query), request.api.get("/v1/me/history/years")
    )
    return request.page(
        "account/history.html",
        history=reply.json(),
        years=years.json()["items"] if years.done and not after else [],
    )
