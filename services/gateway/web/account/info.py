"""Pages of My Info, messages and the reading history."""

import asyncio
from datetime import datetime

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


ROWS = "20"


@router.get("/inbox")
async def get_inbox(request: PatronRequest, after: str = "") -> Response:
    """List the newest messages, or those after `after`."""
    query = {"after": after} if after else {}
    reply = await request.api.get("/v1/me/inbox", limit=ROWS, **query)
    return request.page("account/inbox.html", inbox=reply.json(), after=after)


@router.post("/inbox/read")
async def post_read(request: PatronRequest) -> Response:
    """Mark messages as read: one, or all on the page."""
    for message in request.texts("message"):
        reply = await request.api.send("POST", f"/v1/me/inbox/{segment(message)}/read")
        reply.succeed()
    return request.go("/inbox")


@router.get("/history")
async def get_history(request: PatronRequest, after: str = "") -> Response:
    """List past loans, one page at a time."""
    query = {"after": after} if after else {}
    reply = await request.api.get("/v1/me/history", **query)
    return request.page("account/history.html", history=reply.json())
