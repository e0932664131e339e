"""The pages of the libraries' notices: the list, and one notice."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.visit import Anyone, Visit

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
        notices=[_in_language(visit, one) for one in found["items"]],
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
    return visit.page("notice.html", notice=_in_language(visit, asked.json()), branches=names)


@router.get("/notices/{notice_id}/versions")
async def get_versions(visit: Anyone, notice_id: str) -> Response:
    """Show the earlier texts of an amended notice."""
    path = f"/v1/notices/{segment(notice_id)}"
    notice, earlier = await asyncio.gather(visit.api.get(path), visit.api.get(f"{path}/versions"))
    return visit.page(
        "notice-versions.html",
        notice=_in_language(visit, notice.json()),
        earlier=[_in_language(visit, one) for one in earlier.json()["items"]],
    )


def _in_language(visit: Visit, notice: dict[str, Any]) -> dict[str, Any]:
    """Return a notice with its texts in the visitor's language, if it has them."""
    wording: dict[str, str] = notice["wordings"].get(visit.language.code, {})
    return notice | wording
