"""The page of messages to the patron."""

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)

ROWS = "20"


@router.get("/inbox")
async def get_inbox(visit: PatronVisit, after: str = "") -> Response:
    """List the newest messages, or those after `after`."""
    query = {"after": after} if after else {}
    reply = await visit.api.get("/v1/me/inbox", limit=ROWS, **query)
    return visit.page("inbox.html", inbox=reply.json(), after=after)


@router.post("/inbox/read")
async def post_read(visit: PatronVisit) -> Response:
    """Mark messages as read: one, or all on the page."""
    for message in visit.texts("message"):
        reply = await visit.api.send("POST", f"/v1/me/inbox/{segment(message)}/read")
        if not reply.done:
            raise reply.failure()
    return visit.go("/inbox")
