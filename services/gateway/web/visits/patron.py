"""Pages for visitors at the door of a library: check in and out, and wait if it is full."""

from datetime import UTC, datetime

from fastapi import Response

from services.gateway.web import forms, session
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import in_language
from services.gateway.web.page_request import Anyone, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.clock import bounded
from shared.translations import marked

router = Pages(
    messages={
        "checked-in": marked("Welcome. You're checked in."),
        "checked-out": marked("You're checked out. Goodbye."),
        "queued": marked("You're in the queue with number %(number)s."),
    },
    problems={
        "branch-is-closed": marked("The library is closed now."),
        "branch-full": marked("The library is full now. Join the queue, or come back later."),
        "branch-not-full": marked("There is room inside: you don't need to wait."),
        "queue-full": marked("Too many people are waiting. Please come back later."),
        "no-such-venue": marked(
            "This code isn't valid any more. Please scan the code at the door."
        ),
        "no-such-visit": marked("This visit has ended already."),
        "visits-not-kept": marked(
            "This library doesn't register its visitors at the moment. You can just walk in."
        ),
    },
)


VISIT, TICKET = "carrel_visit", "carrel_ticket"
"""Cookies with the visit or the ticket that this phone has at a library."""
_SECONDS = 16 * 3600


@router.get("/check-in/{venue}")
async def get_check_in(request: Anyone, venue: str) -> Response:
    """Show the form to check in, or the visit or place in the queue that this phone has."""
    return await _page(request, venue)


@router.post("/check-in/{venue}")
async def post_check_in(request: Anyone, venue: str) -> Response:
    """Check in, as a patron if logged in."""
    body = {
        "venue": venue,
        "name": request.text("name"),
        "phone": request.text("phone"),
        "ticket": _kept(request, TICKET, venue) or None,
    }
    patron = request.is_patron
    path = "/v1/me/visits" if patron else "/v1/visits"
    reply = await request.send("POST", path, body)
    if not reply.done:
        return await _page(request, venue, reply.refusal(409, 422))
    entered = reply.json()
    response = request.go(f"/check-in/{segment(venue)}", "checked-in")
    since = int(datetime.fromisoformat(entered["entered_at"]).timestamp())
    _keep(request, response, VISIT, venue, f"{entered['id']}.{since}")
    session.drop(request.http, response, TICKET)
    return response


@router.post("/check-in/{venue}/leaving")
async def post_leaving(request: Anyone, venue: str) -> Response:
    """Check out. After a second tap the phone may not know its visit any more."""
    here = f"/check-in/{segment(venue)}"
    kept = _kept(request, VISIT, venue).partition(".")[0]
    if not kept:
        return request.go(here, "checked-out")
    body = {"visit": kept}
    reply = await request.send("POST", "/v1/visits/leavings", body)
    message = FlashMessage("checked-out") if reply.done else request.refusal(reply)
    if not reply.done and reply.status != 404:
        raise reply.failure()
    response = request.go(here, message)
    session.drop(request.http, response, VISIT)
    return response


@router.post("/check-in/{venue}/queue")
async def post_queue(request: Anyone, venue: str) -> Response:
    """Join the queue of a full library."""
    reply = await request.send("POST", "/v1/tickets", {"venue": venue})
    here = f"/check-in/{segment(venue)}"
    if not reply.done:
        return request.refused(here, reply)
    ticket = reply.json()
    response = request.go(here, FlashMessage("queued", {"number": ticket["number"]}))
    _keep(request, response, TICKET, venue, ticket["id"])
    return response


async def _page(request: PageRequest, venue: str, refused: Failure | None = None) -> Response:
    ticket = _kept(request, TICKET, venue)
    query = {"ticket": ticket} if ticket else {}
    found = (await request.api.get(f"/v1/venues/{segment(venue)}", **query)).json()
    _, _, since = _kept(request, VISIT, venue).partition(".")
    return request.page(
        "visits/check-in.html",
        venue=venue,
        library=in_language(found, request.language.code),
        since=_instant(since),
        known=await _known(request),
        **forms.outcome_of(request, refused),
    )


async def _known(request: PageRequest) -> dict[str, str]:
    """Return the name and telephone number that the library has of a logged-in patron."""
    if request.caller is None or not request.is_patron:
        return {}
    reply = await request.api.get(f"/v1/patrons/{segment(request.caller.id)}")
    found = reply.json_or({})
    return {name: found[name] for name in ("name", "phone") if found.get(name)}


def _kept(request: PageRequest, name: str, venue: str) -> str:
    """Return the visit or ticket of this phone at this venue; "" if there is none."""
    at, _, kept = session.cookie(request.http, name).partition(".")
    return kept if at == venue else ""


def _instant(seconds: str) -> datetime | None:
    """Return an instant given in seconds since 1970; None if this phone has no proper one."""
    try:
        return bounded(datetime.fromtimestamp(int(seconds), UTC))
    except (ValueError, OverflowError, OSError):
        return None


def _keep(request: PageRequest, response: Response, name: str, venue: str, kept: str) -> None:
    session.keep(request.http, response, name, f"{venue}.{kept}", seconds=_SECONDS)
