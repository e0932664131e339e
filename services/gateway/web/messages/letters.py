"""The desk page of letters: make those of a library, print them and record that they are posted."""

import asyncio

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/letters", marked("Letters"))]},
    messages={
        "letters-made": marked("The letters are made. Print them below."),
        "letters-posted": marked("The letters are marked as posted."),
    },
    problems={
        "no-letters": marked("No letters wait at this library."),
        "letters-printed": marked(
            "Today's letters of this library are made already. Print them again, or make others "
            "tomorrow."
        ),
        "no-such-letters": marked("There are no letters of this library and day."),
        "no-letter-font": marked(
            "Letters can't be printed: this system has no font with Chinese characters. Please "
            "tell an operator."
        ),
    },
)

LISTED = 50
PAGE = "/desk/letters"
API = "/v1/letter-runs"


@router.get(PAGE)
async def get_letters(request: DeskRequest, after: str = "") -> Response:
    """List the libraries at which letters wait, and the letters that were made."""
    return await _list(request, after=after)


@router.post(PAGE)
async def post_letters(request: DeskRequest) -> Response:
    """Make the letters of a library that wait."""
    reply = await request.send("POST", API, {"branch": request.text("branch")})
    if not reply.done:
        return await _list(request, reply)
    return request.go(PAGE, "letters-made")


@router.post("/desk/letters/{run_id}/prints")
async def post_print(request: DeskRequest, run_id: str) -> Response:
    """Send the letters as a PDF, to be saved and printed."""
    body = {"language": request.language.code}
    reply = await request.api.send("POST", f"{API}/{segment(run_id)}/prints", body)
    if not reply.done:
        return await _list(request, reply)
    return request.file(reply)


@router.post("/desk/letters/{run_id}/posting")
async def post_posting(request: DeskRequest, run_id: str) -> Response:
    """Record that letters are posted."""
    reply = await request.send("POST", f"{API}/{segment(run_id)}/posting")
    if not reply.done:
        return await _list(request, reply)
    return request.go(PAGE, "letters-posted")


async def _list(request: PageRequest, refused: Reply | None = None, after: str = "") -> Response:
    more = {"after": after} if after else {}
    asked, names = await asyncio.gather(
        request.api.get(API, limit=str(LISTED), **more), branch_names(request.api)
    )
    found = asked.json()
    return request.page(
        "messages/letters.html",
        waiting=found["waiting"],
        runs=found["items"],
        next=found["next"],
        branches=names,
        **forms.outcome(request, refused),
    )
