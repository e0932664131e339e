"""My Info: what is on and what is new, of what the patron follows."""

from fastapi import APIRouter, Response

from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)


@router.get("/info")
async def get_info(visit: PatronVisit) -> Response:
    """The two tables."""
    reply = await visit.api.get("/v1/me/info")
    return visit.page("info.html", info=reply.json())
