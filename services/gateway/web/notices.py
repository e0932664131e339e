"""The page of the libraries' notices."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.branches import branch_names
from services.gateway.web.visit import Anyone

router = APIRouter(include_in_schema=False)


@router.get("/notices")
async def get_notices(visit: Anyone, branch: str = "", after: str = "") -> Response:
    """List notices, the newest first; with `branch`, those of one library and of all libraries."""
    query = {"branch": branch, "after": after}
    asked, names = await asyncio.gather(
        visit.api.get("/v1/notices", **{name: text for name, text in query.items() if text}),
        branch_names(visit.api),
    )
    found = asked.json()
    return visit.page(
        "notices.html", notices=found["items"], next=found["next"], branches=names, branch=branch
    )
