"""Pages of contact tracing: who visited a library, and for overseers, who looked at that."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.visit import HEADERS, OverseerVisit, TracerVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/tracing")
async def get_tracing(visit: TracerVisit) -> Response:
    """Show the form to look for visitors."""
    return await _page(visit)


@router.post("/tracing")
async def post_tracing(visit: TracerVisit) -> Response:
    """Show the visitors, or send them as a table.

    Without a redirect: what a look shows has no address of its own.
    """
    body = {
        **{name: visit.text(name) for name in ("branch", "case_number", "reason")},
        **{name: _instant(visit, name) for name in ("start", "until")},
        "format": "csv" if visit.text("format") == "csv" else "json",
    }
    reply = await visit.api.send("POST", "/v1/tracings", body)
    if not reply.done:
        failure = reply.failure()
        if failure.status not in (404, 409, 422):
            raise failure
        return await _page(visit, refused=failure)
    if body["format"] == "csv":
        headers = {"Content-Disposition": 'attachment; filename="visits.csv"'}
        return Response(reply.content, 200, HEADERS | headers, media_type="text/csv; charset=utf-8")
    return await _page(visit, look=reply.json())


@router.get("/tracing/looks")
async def get_looks(visit: OverseerVisit, after: str = "") -> Response:
    """List who looked at visits, when, where and why."""
    query = {"after": after} if after else {}
    found = (await visit.api.get("/v1/tracings", **query)).json()
    names = await branch_names(visit.api)
    return visit.page("looks.html", looks=found["items"], next=found["next"], branches=names)


async def _page(
    visit: Visit, *, look: dict[str, Any] | None = None, refused: Failure | None = None
) -> Response:
    return visit.page(
        "tracing.html",
        status=refused.status if refused else 200,
        branches=await branch_names(visit.api),
        look=look,
        refused=refused,
        form=filled(visit, refused),
    )


def _instant(visit: Visit, name: str) -> str:
    """Return a typed time of the typed day as an instant; what is not a time stays as it is."""
    text = f"{visit.text('day')}T{visit.text(name)}"
    try:
        return datetime.fromisoformat(text).replace(tzinfo=visit.zone).isoformat()
    except ValueError:
        return text
