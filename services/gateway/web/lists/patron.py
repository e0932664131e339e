"""Pages of a patron's lists of titles, and of a list that is open to others."""

import asyncio
from collections.abc import Sequence
from typing import Any

from fastapi import Response

from services.gateway.web import forms, session
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branches_by_code, home_branch
from services.gateway.web.holds.search import placed
from services.gateway.web.page_request import Anyone, PageRequest, PatronRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"patron": [("/lists", marked("My lists"))]},
    messages={
        "title-saved": marked("Saved: %(title)s."),
        "title-taken-off": marked("Taken off the list."),
        "list-made": marked("The list is made."),
        "list-renamed": marked("The list is renamed."),
        "list-removed": marked("The list is deleted."),
        "list-opened": marked("Anyone who has the link can read this list now."),
        "list-link-ended": marked("Nobody else can read this list any more."),
    },
    problems={
        "no-such-list": marked(
            "There is no such list. It may have been deleted, or its link ended."
        ),
        "list-limit": marked("You have as many lists as there can be. Delete one first."),
        "list-full": marked("This list is full. Take titles off it, or make another list."),
    },
    at_fault={"list-limit": "name"},
)
ON_PAGE = 20


@router.get("/lists")
async def get_lists(request: PatronRequest) -> Response:
    """Show the patron's lists, with a form to make one."""
    return await _lists(request)


@router.post("/lists")
async def post_list(request: PatronRequest) -> Response:
    """Make a list."""
    reply = await request.send("POST", "/v1/me/lists", {"name": request.text("name")})
    if reply.done:
        return request.go(f"/lists/{reply.json()['number']}", "list-made")
    return await _lists(request, reply.refusal(409, 422))


async def _lists(request: PageRequest, refused: Failure | None = None) -> Response:
    found = (await request.api.get("/v1/me/lists")).json()["items"]
    return request.page("lists/lists.html", lists=found, **forms.outcome_of(request, refused))


@router.get("/lists/{number}")
async def get_list(request: PatronRequest, number: str, at: int = 0) -> Response:
    """Show a list of the patron, with where its titles are now."""
    return await _own(request, number, at)


@router.post("/lists/{number}")
async def post_name(request: PatronRequest, number: str) -> Response:
    """Rename a list."""
    body = {"name": request.text("name")}
    reply = await request.send("PUT", f"{_path(number)}/name", body)
    if reply.done:
        return request.go(f"/lists/{segment(number)}", "list-renamed")
    return await _own(request, number, 0, reply.refusal(422))


@router.post("/lists/{number}/removal")
async def post_removal(request: PatronRequest, number: str) -> Response:
    """Delete a list."""
    (await request.send("DELETE", _path(number))).succeed()
    return request.go("/lists", "list-removed")


@router.post("/lists/{number}/titles")
async def post_title(request: PatronRequest, number: str) -> Response:
    """Put a title on a list that the form names, or on this one."""
    title_id, number = request.text("title_id"), request.text("number") or number
    back = session.own_path(request.text("back"))
    reply = await request.send("PUT", f"{_path(number)}/titles/{segment(title_id)}")
    if not reply.done:
        return request.refused(back, reply)
    kept = next(one for one in reply.json()["titles"] if one["title_id"] == title_id)
    return request.go(back, FlashMessage("title-saved", {"title": kept["title"]}))


@router.post("/lists/{number}/titles/removal")
async def post_title_removal(request: PatronRequest, number: str) -> Response:
    """Take a title off a list."""
    path = f"{_path(number)}/titles/{segment(request.text('title_id'))}"
    (await request.send("DELETE", path)).succeed()
    return request.go(f"/lists/{segment(number)}", "title-taken-off")


@router.post("/lists/{number}/link")
async def post_link(request: PatronRequest, number: str) -> Response:
    """Make a new link to a list for others, or end it."""
    opens = request.text("open") == "yes"
    (await request.send("POST" if opens else "DELETE", f"{_path(number)}/link")).succeed()
    return request.go(f"/lists/{segment(number)}", "list-opened" if opens else "list-link-ended")


@router.get("/shared-lists/{link}")
async def get_shared(request: Anyone, link: str, at: int = 0) -> Response:
    """Show a list that its owner has opened to others; it names no person."""
    kept = (await request.api.get(f"/v1/shared-lists/{segment(link)}")).json()
    return await _page(request, kept, at, refused=None, link="")


async def _own(
    request: PageRequest, number: str, at: int, refused: Failure | None = None
) -> Response:
    found = (await request.api.get("/v1/me/lists")).json()["items"]
    kept = next((one for one in found if str(one["number"]) == number), None)
    if kept is None:
        raise Failure(404, "no-such-list")
    link = f"{request.site}/shared-lists/{kept['link']}" if kept["link"] else ""
    return await _page(request, kept, at, refused=refused, link=link)


async def _page(
    request: PageRequest, kept: Any, at: int, *, refused: Failure | None, link: str
) -> Response:
    part = kept["titles"][max(at, 0) : max(at, 0) + ON_PAGE]
    found, branches, home = await asyncio.gather(
        _found(request, [one["title_id"] for one in part]),
        branches_by_code(request.api),
        home_branch(request),
    )
    shown = await placed(request, found, branches, home)
    titles = {one["id"]: one for one in shown.pop("titles")}
    return request.page(
        "lists/list.html",
        kept=kept,
        own="number" in kept,
        # A title that has left the catalogue keeps the name that it had.
        entries=[(one, titles.get(one["title_id"])) for one in part],
        **shown,
        link=link,
        at=max(at, 0),
        size=ON_PAGE,
        **forms.outcome_of(request, refused),
    )


async def _found(request: PageRequest, ids: Sequence[str]) -> list[dict[str, Any]]:
    """Return those of some titles that the catalogue has, in one request."""
    if not ids:
        return []
    reply = await request.api.get("/v1/title-copies", id=ids)
    return list(reply.json()["items"])


def _path(number: str) -> str:
    return f"/v1/me/lists/{segment(number)}"
