"""The part of My Setting with the link to the patron's calendar feed."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)

_HERE = "/setting"


def addresses(visit: Visit, calendar: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a link: its address for programs, and one to open."""
    if calendar["path"] is None:
        return {**calendar, "address": "", "webcal": ""}
    site = visit.request.app.state.settings.public_url or str(visit.request.base_url).rstrip("/")
    address = f"{site}{calendar['path']}"
    return {**calendar, "address": address, "webcal": f"webcal:{address.partition(':')[2]}"}


@router.post("/setting/calendar")
async def post_calendar(visit: PatronVisit) -> Response:
    """Make a new link, which replaces the one until now."""
    body = {"with_titles": bool(visit.text("with_titles"))}
    reply = await visit.api.send("POST", "/v1/me/calendar", body, key=visit.key)
    if not reply.done:
        raise reply.failure()
    return visit.go(_HERE, FlashMessage("calendar-made", {}))


@router.post("/setting/calendar/ending")
async def post_ending(visit: PatronVisit) -> Response:
    """End the link."""
    reply = await visit.api.send("DELETE", "/v1/me/calendar", key=visit.key)
    if not reply.done:
        raise reply.failure()
    return visit.go(_HERE, FlashMessage("calendar-ended", {}))
