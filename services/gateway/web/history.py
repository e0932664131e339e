"""The page of past loans, for patrons who asked the library to keep them."""

from fastapi import APIRouter, Response

from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)


@router.get("/history")
async def get_history(visit: PatronVisit, after: str = "") -> Response:
    """List past loans, one page at a time."""
    query = {"after": after} if after else {}
    reply = await visit.api.get("/v1/me/history", **query)
    return visit.page("history.html", history=reply.json())
