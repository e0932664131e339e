"""The pages of the libraries' notices: the list, and one notice."""

import asyncio

from fastapi import Response

from services.gateway.web.api import segment
from services.gateway.web.branches import branch_names
from services.gateway.web.languages import worded
from services.gateway.web.page_request import Anyone
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={"anyone": [("/notices", marked("Notices"))]},
    problems={"no-such-notice": marked("There is no such notice.")},
)


@router.get("/notices")
async def get_notices(request: Anyone, branch: str = "", after: str = "") -> Response:
    """List notices, the newest first; with `branch`, those of one library and of all libraries."""
    query = {"branch": branch, "after": after}
    asked, names = await asyncio.gather(
        request.api.get("/v1/notices", **{name: text for name, text in query.items() if text}),
        branch_names(request.api),
    )
    found = asked.json()
    return request.page(
        "notices/notices.html",
        notices=[worded(one, request.language.code) for one in found["items"]],
        next=found["next"],
        branches=names,
        branch=branch,
    )


@router.get("/notices/{notice_id}")
async def get_notice(request: Anyone, notice_id: str) -> Response:
    """Show a notice."""
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/notices/{segment(notice_id)}"), branch_names(request.api)
    )
    return request.page(
        "notices/notice.html", notice=worded(asked.json(), request.language.code), branches=names
    )


@router.get("/notices/{notice_id}/versions")
async def get_versions(request: Anyone, notice_id: str) -> Response:
    """Show the earlier texts of an amended notice."""
    path = f"/v1/notices/{segment(notice_id)}"
    notice, earlier = await asyncio.gather(
        request.api.get(path), request.api.get(f"{path}/versions")
    )
    return request.page(
        "notices/notice-versions.html",
        notice=worded(notice.json(), request.language.code),
        earlier=[worded(one, request.language.code) for one in earlier.json()["items"]],
    )
