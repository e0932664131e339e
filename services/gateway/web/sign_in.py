"""Logging in and out, of patrons and of the desk."""

from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response

from services.gateway.web import session
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import Said, own_path
from services.gateway.web.visit import Anyone, Visit
from shared.auth import Caller

router = APIRouter(include_in_schema=False)


def log_in_address(request: Request) -> str:
    """Where to log in, and to come back from to the page that was asked for."""
    target = request.url.path if request.method == "GET" else "/"
    if request.method == "GET" and request.url.query:
        target += f"?{request.url.query}"
    return "/log-in" if target == "/" else f"/log-in?{urlencode({'next': target})}"


@router.get("/log-in")
async def get_log_in(visit: Anyone, next: str = "/") -> Response:  # noqa: A002 - as in addresses
    """The form to log in."""
    if visit.caller:
        return visit.go(own_path(next))
    return visit.page("log-in.html", next=own_path(next), problem=None)


@router.post("/log-in")
async def post_log_in(visit: Anyone) -> Response:
    """Log in, and go to the page that was wanted."""
    typed = {"card_number": visit.text("card_number"), "pin": visit.text("pin")}
    target = own_path(visit.text("next"))
    reply = await visit.api.send("POST", "/v1/sessions", typed)
    if not reply.done:
        failure = reply.failure()
        code = "bad-credentials" if failure.code == "malformed" else failure.code
        return visit.page("log-in.html", status=failure.status, next=target, problem=code)
    opened = reply.json()
    home = "/desk" if "staff" in opened["roles"] and target == "/" else target
    response = visit.go(home)
    session.drop(visit.request, response, session.GUEST)
    # Without an end: it goes with the browser window, and its token ends by itself.
    session.keep(visit.request, response, session.SESSION, opened["access_token"])
    await _keep_preference(visit, response, opened["access_token"])
    return response


async def _keep_preference(visit: Visit, response: Response, token: str) -> None:
    """Go on in the patron's language, unless this browser was told of another one."""
    if session.cookie(visit.request, session.LANGUAGE):
        return
    as_patron = Visit(visit.request, visit.language, Caller("", frozenset(), "", token, 0.0))
    reply = await as_patron.api.get("/v1/me/preferences")
    if reply.done and reply.json()["language"] in LANGUAGES:
        session.keep_language(visit.request, response, reply.json()["language"])


@router.post("/log-out")
async def post_log_out(visit: Anyone) -> Response:
    """Log out; what was shown is not kept by the browser."""
    response = visit.go("/log-in", Said("logged-out", {}))
    session.drop(visit.request, response, session.SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
