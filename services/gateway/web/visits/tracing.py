"""Pages of contact tracing: who visited a library, and for overseers, who looked at that."""

from datetime import datetime
from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import HEADERS, OverseerRequest, PageRequest, TracerRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={
        "tracer": [("/tracing", marked("Contact tracing"))],
        "ops": [("/tracing/looks", marked("Looks at visits"))],
    },
    problems={
        "bad-span": marked("The end must be after the start."),
        "too-many-visits": marked("Too many visits match. Please choose a shorter time."),
    },
    at_fault={"bad-span": "until"},
    fields={
        "start": marked("From"),
        "case_number": marked("Number of the case"),
    },
)


@router.get("/tracing")
async def get_tracing(request: TracerRequest) -> Response:
    """Show the form to look for visitors."""
    return await _page(request)


@router.post("/tracing")
async def post_tracing(request: TracerRequest) -> Response:
    """Show the visitors, or send them as a table.

    Without a redirect: what a look shows has no address of its own.
    """
    body = {
        **{name: request.text(name) for name in ("branch", "case_number", "reason")},
        **{name: _instant(request, name) for name in ("start", "until")},
        "format": "csv" if request.text("format") == "csv" else "json",
    }
    reply = await request.api.send("POST", "/v1/tracings", body)
    if not reply.done:
        return await _page(request, refused=reply.refusal(404, 409, 422))
    if body["format"] == "csv":
        headers = {"Content-Disposition": 'attachment; filename="visits.csv"'}
        return Response(reply.content, 200, HEADERS | headers, media_type="text/csv; charset=utf-8")
    return await _page(request, look=reply.json())


@router.get("/tracing/looks")
async def get_looks(request: OverseerRequest, after: str = "") -> Response:
    """List who looked at visits, when, where and why."""
    query = {"after": after} if after else {}
    found = (await request.api.get("/v1/tracings", **query)).json()
    names = await branch_names(request.api)
    return request.page(
        "visits/looks.html", looks=found["items"], next=found["next"], branches=names
    )


async def _page(
    request: PageRequest, *, look: dict[str, Any] | None = None, refused: Failure | None = None
) -> Response:
    return request.page(
        "visits/tracing.html",
        branches=await branch_names(request.api),
        look=look,
        **forms.outcome_of(request, refused),
    )


def _instant(request: PageRequest, name: str) -> str:
    """Return a typed time of the typed day as an instant; what is not a time stays as it is."""
    text = f"{request.text('day')}T{request.text(name)}"
    try:
        return datetime.fromisoformat(text).replace(tzinfo=request.zone).isoformat()
    except ValueError:
        return text
