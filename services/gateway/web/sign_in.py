"""Pages to log in and out, for patrons and staff."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from fastapi import APIRouter, Request, Response

from services.gateway.web import session
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage, own_path
from services.gateway.web.visit import SECRET_FIELDS, Anyone, Visit

router = APIRouter(include_in_schema=False)


def log_in_address(request: Request) -> str:
    """Return the address to log in at; it leads back to the requested page afterwards."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/log-in" if target == "/" else f"/log-in?{urlencode({'next': target})}"


def ask_again(visit: Visit) -> Response:
    """Show the log-in form for a form that was sent after its session had ended.

    The command was not executed. After log-in its fields are shown again to be sent, except a PIN.
    """
    url = visit.request.url
    kept = [
        (name, value)
        for name, value in visit.form.multi_items()
        if name not in {"form", *SECRET_FIELDS} and isinstance(value, str)
    ]
    sent = {"again": f"{url.path}?{url.query}" if url.query else url.path, "kept": urlencode(kept)}
    return visit.page("log-in.html", status=401, problem="session-ended-form", hidden=sent)


@router.get("/log-in")
async def get_log_in(visit: Anyone, next: str = "/") -> Response:  # noqa: A002 - as in addresses
    """Show the log-in form."""
    if visit.caller:
        return visit.go(own_path(next))
    return visit.page("log-in.html", problem=None, hidden={"next": own_path(next)})


@router.post("/log-in")
async def post_log_in(visit: Anyone) -> Response:
    """Log in; continue to the requested page, or to the form that was sent too late."""
    typed = {"card_number": visit.text("card_number"), "pin": visit.text("pin")}
    if device := session.device(visit.request):
        typed["device_token"] = device
    typed |= {"factor_code": visit.text("factor_code")} if visit.text("factor_code") else {}
    reply = await visit.api.send("POST", "/v1/sessions", typed)
    if not reply.done:
        failure = reply.failure()
        code = "bad-credentials" if failure.code == "malformed" else failure.code
        hidden = {name: visit.text(name) for name in ("next", "again", "kept")}
        return visit.page("log-in.html", status=failure.status, problem=code, hidden=hidden)
    opened = reply.json()
    token = opened["access_token"]
    inside = replace(visit, caller=await visit.request.app.state.verifier.caller(token))
    response = _after_log_in(inside)
    session.drop(visit.request, response, session.GUEST)
    # Without an expiry: it ends with the browser session, and its tokens expire by themselves.
    tokens = session.Tokens(token, opened["renewal_token"] or "")
    session.keep(visit.request, response, session.SESSION, tokens.cookie)
    if opened["device_token"]:
        session.keep_device(visit.request, response, opened["device_token"])
    await _keep_preference(inside, response)
    return response


def _after_log_in(inside: Visit) -> Response:
    if inside.text("again"):
        fields = parse_qsl(inside.text("kept"), keep_blank_values=True)
        return inside.page("again.html", action=own_path(inside.text("again")), kept=fields)
    target = own_path(inside.text("next"))
    at_desk = inside.caller is not None and "staff" in inside.caller.roles
    return inside.go("/desk" if at_desk and target == "/" else target)


async def _keep_preference(inside: Visit, response: Response) -> None:
    """Use the patron's language from now on, unless this browser has another one stored."""
    if session.cookie(inside.request, session.LANGUAGE):
        return
    reply = await inside.api.get("/v1/me/preferences")
    if reply.done and reply.json()["language"] in LANGUAGES:
        session.keep_language(inside.request, response, reply.json()["language"])


@router.post("/log-out")
async def post_log_out(visit: Anyone) -> Response:
    """Log out, here or on all devices, and clear the browser's cache of what was shown.

    Without accounts the browser is still logged out, but "on all devices" fails.
    """
    said = "logged-out"
    if visit.text("everywhere"):
        reply = await visit.api.send("DELETE", "/v1/sessions")
        if not reply.done and reply.status != 401:
            raise reply.failure()
        said = "logged-out-everywhere"
    elif visit.caller:
        await visit.api.send("DELETE", "/v1/sessions/current")
    response = visit.go("/log-in", FlashMessage(said, {}))
    session.drop(visit.request, response, session.SESSION)
    response.headers["Clear-Site-Data"] = '"cache"'
    return response
