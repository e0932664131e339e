"""My Account."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.branches import branch_names
from services.gateway.web.visit import Anyone, LogInFirst, Visit

router = APIRouter(include_in_schema=False)


@router.get("/")
async def get_account(visit: Anyone) -> Response:
    """My Account; the desk for who works there."""
    if visit.caller is None:
        raise LogInFirst
    if "staff" in visit.caller.roles:
        return visit.go("/desk")
    return await _account(visit)


async def _account(visit: Visit) -> Response:
    overview, names = await asyncio.gather(visit.api.get("/v1/me"), branch_names(visit.api))
    return visit.page("account.html", account=overview.json(), branches=names)
