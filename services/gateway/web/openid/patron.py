"""Pages of OpenID Connect: a patron lets a service of others log them in, and logs out from it."""

import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from services.gateway.web import session
from services.gateway.web.api import Failure, segment
from services.gateway.web.page_request import (
    HEADERS,
    MAX_FIELDS,
    Anyone,
    PageRequest,
    PatronRequest,
)
from services.gateway.web.pages import Pages
from shared.owners import OwnerAway
from shared.translations import marked

router = Pages(
    messages={
        "access-ended": marked(
            "Ended. The service learns nothing more about you. Log out there too if you are still "
            "logged in."
        ),
    },
    problems={
        "no-such-client": marked(
            "The library doesn't know the service that you come from. Nothing was sent to it."
        ),
        "wrong-address": marked(
            "This service asked for an answer at an address that the library doesn't know. Nothing "
            "was sent there. Please tell the service."
        ),
    },
)

AUTHORIZE, LOG_OUT = "/openid/authorize", "/openid/log-out"
AUTHORIZATIONS = "/v1/me/authorizations"


@router.get(AUTHORIZE)
async def get_authorize(request: Anyone) -> Response:
    """Answer the request of a client at once, or ask the patron to log in or to consent."""
    return await _decide(request, None)


@router.post(AUTHORIZE)
async def post_authorize(http: Request) -> Response:
    """Take the same request from a form on the client's page (Core, section 3.1.2.1)."""
    return await _as_link(http)


@router.post("/openid/consent")
async def post_consent(request: PatronRequest) -> Response:
    """Answer the client as the patron has decided. The address has the client's request."""
    return await _decide(request, "allow" if request.text("decision") == "allow" else "deny")


async def _decide(request: PageRequest, decision: str | None) -> Response:
    if request.unknown:
        raise OwnerAway("accounts")
    asked = _asked(request)
    body: dict[str, Any] = {"parameters": asked}
    if request.is_patron:
        body |= {"decision": decision} if decision else {}
        reply = await request.api.send("POST", AUTHORIZATIONS, body)
    else:
        reply = await request.api.send("POST", "/v1/authorization-checks", body)
    outcome = reply.json()
    if outcome["redirect_uri"]:
        return _leave(request, outcome["redirect_uri"])
    if outcome["needs"] == "log-in":
        since = {"since": str(int(time.time()))} if "login" in asked.get("prompt", "") else {}
        back = f"{AUTHORIZE}?{urlencode(asked | since)}"
        return request.page("sign_in/log-in.html", problem=None, hidden={"next": back})
    host = urlsplit(asked["redirect_uri"]).hostname
    query = request.http.url.query
    return request.page("openid/consent.html", outcome=outcome, host=host, query=query)


@router.get(LOG_OUT)
async def get_log_out(request: Anyone) -> Response:
    """Ask whether to log out of the library too; a visitor without a session goes on at once."""
    found = await _log_out(request)
    if request.caller or request.unknown:
        query = request.http.url.query
        return request.page("openid/log-out.html", found=found, query=query)
    address = found["redirect_uri"]
    return _leave(request, address) if address else request.go("/log-in", "logged-out")


@router.post(LOG_OUT)
async def post_log_out(http: Request) -> Response:
    """Take the same request from a form on the client's page."""
    return await _as_link(http)


@router.post("/openid/log-out/confirmation")
async def post_confirmation(request: Anyone) -> Response:
    """Log out, and go on to the registered address of the client, if it named one."""
    found = await _log_out(request)
    if request.caller:
        await request.api.send("DELETE", "/v1/sessions/current")
    address = found["redirect_uri"]
    response = _leave(request, address) if address else request.go("/log-in", "logged-out")
    session.end(request.http, response)
    return response


@router.post("/setting/services/{client_id}/removal")
async def post_service_removal(request: PatronRequest, client_id: str) -> Response:
    """End what a service of others may learn about the patron."""
    reply = await request.send("DELETE", f"{AUTHORIZATIONS}/{segment(client_id)}")
    if not reply.done and reply.status != 404:
        raise reply.failure()
    return request.go("/setting?section=services", "access-ended")


async def _log_out(request: PageRequest) -> dict[str, str | None]:
    reply = await request.api.send("POST", "/v1/log-out-checks", {"parameters": _asked(request)})
    found: dict[str, str | None] = reply.json()
    return found


def _asked(request: PageRequest) -> dict[str, str]:
    """Return the parameters of a client's request. Raises Failure if one is there twice."""
    given = request.http.query_params
    asked = dict(given)
    if len(asked) < len(given.multi_items()):
        raise Failure(400, "malformed")
    return asked


async def _as_link(http: Request) -> Response:
    """Lead a browser on to the page with the fields of a form of a client as its parameters."""
    form = await http.form(max_files=0, max_fields=MAX_FIELDS)
    query = urlencode([(name, one) for name, one in form.multi_items() if isinstance(one, str)])
    return RedirectResponse(f"{http.url.path}?{query}", 303, HEADERS)


def _leave(request: PageRequest, address: str) -> Response:
    """Lead the browser to an address of a client.

    After a form of ours it takes a page in between: browsers let no form lead to another site
    (`form-action` of the content security policy), not even by a redirect.
    """
    came_from = request.http.headers.get("sec-fetch-site")
    if request.http.method == "POST" or came_from == "same-origin":
        host = urlsplit(address).hostname
        return request.page("openid/continue.html", there=address, host=host)
    return RedirectResponse(address, 303, HEADERS)
