"""Pages for visitors at the door of a library: check in and out, and wait if it is full."""

from datetime import UTC, datetime

from fastapi import APIRouter, Response

from services.gateway.web import session
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import in_language
from services.gateway.web.fields import Fields, filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, Visit
from shared.clock import bounded

router = APIRouter(include_in_schema=False)

VISIT, TICKET = "carrel_visit", "carrel_ticket"
"""Cookies with the visit or the ticket that this phone has at a library."""
_SECONDS = 16 * 3600


@router.get("/check-in/{venue}")
async def get_check_in(visit: Anyone, venue: str) -> Response:
    """Show the form to check in, or the visit or place in the queue that this phone has."""
    return await _page(visit, venue)


@router.post("/check-in/{venue}")
async def post_check_in(visit: Anyone, venue: str) -> Response:
    """Check in, as a patron if logged in."""
    body = {
        "venue": venue,
        "name": visit.text("name"),
        "phone": visit.text("phone"),
        "ticket": _kept(visit, TICKET, venue) or None,
    }
    patron = visit.caller is not None and "patron" in visit.caller.roles
    path = "/v1/me/visits" if patron else "/v1/visits"
    reply = await visit.api.send("POST", path, body, key=visit.key)
    if not reply.done:
        failure = reply.failure()
        if failure.status in (409, 422):
            return await _page(visit, venue, failure)
        raise failure
    entered = reply.json()
    response = visit.go(f"/check-in/{segment(venue)}", FlashMessage("checked-in", {}))
    since = int(datetime.fromisoformat(entered["entered_at"]).timestamp())
    _keep(visit, response, VISIT, venue, f"{entered['id']}.{since}")
    session.drop(visit.request, response, TICKET)
    return response


@router.post("/check-in/{venue}/leaving")
async def post_leaving(visit: Anyone, venue: str) -> Response:
    """Check out. After a second tap the phone may not know its visit any more."""
    here = f"/check-in/{segment(venue)}"
    kept = _kept(visit, VISIT, venue).partition(".")[0]
    if not kept:
        return visit.go(here, FlashMessage("checked-out", {}))
    body = {"visit": kept}
    reply = await visit.api.send("POST", "/v1/visits/leavings", body, key=visit.key)
    said = FlashMessage("checked-out", {}) if reply.done else visit.refusal(reply)
    if not reply.done and reply.status != 404:
        raise reply.failure()
    response = visit.go(here, said)
    session.drop(visit.request, response, VISIT)
    return response


@router.post("/check-in/{venue}/queue")
async def post_queue(visit: Anyone, venue: str) -> Response:
    """Join the queue of a full library."""
    reply = await visit.api.send("POST", "/v1/tickets", {"venue": venue}, key=visit.key)
    here = f"/check-in/{segment(venue)}"
    if not reply.done:
        return visit.refused(here, reply)
    ticket = reply.json()
    response = visit.go(here, FlashMessage("queued", {"number": ticket["number"]}))
    _keep(visit, response, TICKET, venue, ticket["id"])
    return response


async def _page(visit: Visit, venue: str, refused: Failure | None = None) -> Response:
    ticket = _kept(visit, TICKET, venue)
    query = {"ticket": ticket} if ticket else {}
    found = (await visit.api.get(f"/v1/venues/{segment(venue)}", **query)).json()
    _, _, since = _kept(visit, VISIT, venue).partition(".")
    return visit.page(
        "check-in.html",
        status=refused.status if refused else 200,
        venue=venue,
        library=in_language(found, visit.language.code),
        since=_instant(since),
        known=await _known(visit),
        refused=refused,
        form=filled(visit, refused) if refused else Fields(),
    )


async def _known(visit: Visit) -> dict[str, str]:
    """Return the name and telephone number that the library has of a logged-in patron."""
    if visit.caller is None or "patron" not in visit.caller.roles:
        return {}
    reply = await visit.api.get(f"/v1/patrons/{segment(visit.caller.id)}")
    found = reply.json() if reply.done else {}
    return {name: found[name] for name in ("name", "phone") if found.get(name)}


def _kept(visit: Visit, name: str, venue: str) -> str:
    """Return the visit or ticket of this phone at this venue; "" if there is none."""
    at, _, kept = session.cookie(visit.request, name).partition(".")
    return kept if at == venue else ""


def _instant(seconds: str) -> datetime | None:
    """Return an instant given in seconds since 1970; None if this phone has no proper one."""
    try:
        return bounded(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _keep(visit: Visit, response: Response, name: str, venue: str, kept: str) -> None:
    session.keep(visit.request, response, name, f"{venue}.{kept}", seconds=_SECONDS)
