"""The page of My Info: activities and notices that the patron follows."""

import asyncio
from datetime import datetime

from fastapi import APIRouter, Response

from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
from services.gateway.web.visit import PatronVisit
from shared.http.dependencies import BusinessTime

router = APIRouter(include_in_schema=False)


@router.get("/info")
async def get_info(visit: PatronVisit, now: BusinessTime) -> Response:
    """Show the two tables."""
    reply, names = await asyncio.gather(visit.api.get("/v1/me/info"), branch_names(visit.api))
    info = reply.json()
    for table in info.keys() - {"sources"}:
        info[table] = [worded(row, visit.language.code) for row in info[table]]
    for activity in info["activities"]:
        activity["begun"] = datetime.fromisoformat(activity["starts_at"]) <= now
    return visit.page("info.html", info=info, branches=names)
