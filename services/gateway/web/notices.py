"""The pages of the libraries' notices: the list, and one notice."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
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
        "notices.html",
        notices=[worded(one, visit.language.code) for one in found["items"]],
        next=found["next"],
        branches=names,
        branch=branch,
    )


@router.get("/notices/{notice_id}")
async def get_notice(visit: Anyone, notice_id: str) -> Response:
    """Show a notice."""
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/notices/{segment(notice_id)}"), branch_names(visit.api)
    )
    return visit.page(
        "notice.html", notice=worded(asked.json(), visit.language.code), branches=names
    )


@router.get("/notices/{notice_id}/versions")
async def get_versions(visit: Anyone, notice_id: str) -> Response:
    """Show the earlier texts of an amended notice."""
    path = f"/v1/notices/{segment(notice_id)}"
    notice, earlier = await asyncio.gather(visit.api.get(path), visit.api.get(f"{path}/versions"))
    return visit.page(
        "notice-versions.html",
        notice=worded(notice.json(), visit.language.code),
        earlier=[worded(one, visit.language.code) for one in earlier.json()["items"]],
    )
