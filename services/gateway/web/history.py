"""What a patron has read, where they asked that it be kept."""

from fastapi import APIRouter, Response

from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)


@router.get("/history")
async def get_history(visit: PatronVisit, after: str = "") -> Response:
    """Past loans, a page at a time."""
    query = {"after": after} if after else {}
    reply = await visit.api.get("/v1/me/history", **query)
    return visit.page("history.html", history=reply.json())
