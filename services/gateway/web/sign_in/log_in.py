"""Pages to log in and out, for patrons and staff, and to replace a forgotten PIN."""

from dataclasses import replace
from urllib.parse import parse_qsl, urlencode

from fastapi import Request, Response

from services.gateway.web import forms, session
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import SECRET_FIELDS, Anyone, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage, own_path
from shared.translations import marked

router = Pages(
    messages={
        "welcome": marked("Welcome to the library"),
        "session-ended": marked("Your session has ended. Please log in again."),
        "logged-out": marked("You have logged out."),
        "logged-out-everywhere": marked("You have logged out on all devices."),
    },
    problems={
        "code-needed": marked(
            "Please enter your PIN again, with the code from your app or a recovery code."
        ),
        "account-disabled": marked(
            "This account is disabled. Please ask an administrator of the library."
        ),
        "session-ended-form": marked(
            "Your session has ended, so nothing has changed yet. Log in, then send it again."
        ),
        "bad-credentials": marked("Your card number or PIN is wrong."),
        "strangers-wait": marked(
            "There were too many wrong PINs with this card number or from this network. Please log "
            "in on a device where you have logged in before. Or choose a new PIN here with a code "
            "from an e-mail: then you can log in here at once. Or try again in an hour."
        ),
        "locked": marked(
            "Too many attempts to log in with this card number. Please try again in 15 minutes."
        ),
        "too-many-resets": marked(
            "Too many codes were asked for with this card number or from this network. Please try "
            "again later, or ask the staff for a new PIN."
        ),
        "too-many-codes": marked(
            "Too many wrong codes were entered from this network. Please try again in an hour or "
            "from another network, or ask the staff for a new PIN."
        ),
        "wrong-reset-code": marked(
            "This code is wrong or too old. Check it, or ask for a new one."
        ),
    },
    at_fault={"wrong-reset-code": "reset_code"},
    fields={"reset_code": marked("Code from the e-mail")},
)


LOG_OUT_THERE = "/log-in/provider/log-out"
"""Page that offers to log out of the identity provider too."""


def log_in_address(request: Request) -> str:
    """Return the address to log in at; it leads back to the requested page afterwards."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return "/log-in" if target == "/" else f"/log-in?{urlencode({'next': target})}"


def ask_again(request: PageRequest) -> Response:
    """Show the log-in form for a form that was sent after its session had ended.

    The command was not executed. After log-in its fields are shown again to be sent, except a PIN.
    """
    url = request.http.url
    kept = [
        (name, value)
        for name, value in request.form.multi_items()
        if name not in {"form", *SECRET_FIELDS} and isinstance(value, str)
    ]
    sent = {"again": f"{url.path}?{url.query}" if url.query else url.path, "kept": urlencode(kept)}
    return request.page(
        "sign_in/log-in.html", status=401, problem="session-ended-form", hidden=sent
    )


@router.get("/log-in")
async def get_log_in(request: Anyone, next: str = "/") -> Response:  # noqa: A002 - as in addresses
    """Show the log-in form."""
    if request.caller:
        return request.go(own_path(next))
    return request.page("sign_in/log-in.html", problem=None, hidden={"next": own_path(next)})


@router.post("/log-in")
async def post_log_in(request: Anyone) -> Response:
    """Log in; continue to the requested page, or to the form that was sent too late."""
    typed = {"card_number": request.text("card_number"), "pin": request.text("pin")}
    if device := session.device(request.http):
        typed["device_token"] = device
    typed |= {"factor_code": request.text("factor_code")} if request.text("factor_code") else {}
    return await logged_in(request, await request.api.send("POST", "/v1/sessions", typed))


async def logged_in(request: PageRequest, reply: Reply) -> Response:
    """Keep the session that was opened, and go on; else show the form with the reason."""
    if not reply.done:
        failure = reply.failure()
        code = "bad-credentials" if failure.code == "malformed" else failure.code
        hidden = {name: request.text(name) for name in ("next", "again", "kept")}
        return request.page(
            "sign_in/log-in.html", status=failure.status, problem=code, hidden=hidden
        )
    opened = reply.json()
    token = opened["access_token"]
    inside = replace(request, caller=await request.http.app.state.verifier.caller(token))
    response = _after_log_in(inside)
    session.drop(request.http, response, session.GUEST)
    # Without an expiry: it ends with the browser session, and its tokens expire by themselves.
    tokens = session.Tokens(token, opened["renewal_token"] or "")
    session.keep(request.http, response, session.SESSION, tokens.cookie)
    if opened["device_token"]:
        session.keep_device(request.http, response, opened["device_token"])
    await _keep_preference(inside, response)
    return response


def _after_log_in(inside: PageRequest) -> Response:
    if inside.text("again"):
        fields = parse_qsl(inside.text("kept"), keep_blank_values=True)
        return inside.page("sign_in/again.html", action=own_path(inside.text("again")), kept=fields)
    target = own_path(inside.text("next"))
    at_desk = inside.caller is not None and "staff" in inside.caller.roles
    if target == "/" and inside.is_patron and not session.device(inside.http):
        return inside.go(target, "welcome")  # the first log-in on this device
    return inside.go("/desk" if at_desk and target == "/" else target)


async def _keep_preference(inside: PageRequest, response: Response) -> None:
    """Use the patron's language from now on, unless this browser has another one stored."""
    if session.cookie(inside.http, session.LANGUAGE):
        return
    reply = await inside.api.get("/v1/me/preferences")
    if reply.done and reply.json()["language"] in LANGUAGES:
        session.keep_language(inside.http, response, reply.json()["language"])


@router.post("/log-out")
async def post_log_out(request: Anyone) -> Response:
    """Log out, here or on all devices, and clear the browser's cache of what was shown.

    Without accounts the browser is still logged out, but "on all devices" fails.
    """
    message = "logged-out"
    if request.text("everywhere"):
        reply = await request.api.send("DELETE", "/v1/sessions")
        if not reply.done and reply.status != 401:
            raise reply.failure()
        message = "logged-out-everywhere"
    elif request.caller:
        await request.api.send("DELETE", "/v1/sessions/current")
    messages: list[FlashMessage | str] = [message]
    if kept := request.number("kept_scans"):
        messages.append(FlashMessage("scans-kept", {"count": kept}, went_well=False))
    at_provider = session.cookie(request.http, session.PROVIDER) == session.LEFT_BY
    response = request.go(LOG_OUT_THERE if at_provider else "/log-in", *messages)
    if at_provider:
        session.drop(request.http, response, session.PROVIDER)
    session.end(request.http, response)
    return response


@router.get("/forgotten-pin")
async def get_request(request: Anyone) -> Response:
    """Show the form to ask for a code; without e-mail, where to get a new PIN instead."""
    return await _request(request)


@router.post("/forgotten-pin")
async def post_request(request: Anyone) -> Response:
    """Ask for a code, and continue to the page to enter it, whoever has the card."""
    typed = {"card_number": request.text("card_number")}
    reply = await request.send("POST", "/v1/pin-resets", typed)
    if reply.done:
        return request.go(f"/forgotten-pin/{segment(reply.json()['id'])}")
    return await _request(request, reply.refusal(409, 422, 429))


@router.get("/forgotten-pin/{reset_id}")
async def get_code(request: Anyone, reset_id: str) -> Response:
    """Show the form to enter the code and a new PIN. It is the same for every id."""
    return _code(request, reset_id)


@router.post("/forgotten-pin/{reset_id}")
async def post_code(request: Anyone, reset_id: str) -> Response:
    """Choose the new PIN; the patron then logs in with it."""
    if request.text("new_pin") != request.text("repeated_pin"):
        return _code(request, reset_id, Failure(409, "pins-differ"))
    device = session.device(request.http)
    typed = {
        "reset_code": request.text("reset_code"),
        "new_pin": request.text("new_pin"),
        "device_token": device,
    }
    reply = await request.api.send("PUT", f"/v1/pin-resets/{segment(reset_id)}", typed)
    if reply.done:
        response = request.go("/log-in", "pin-changed")
        if reply.json()["device_token"]:
            session.keep_device(request.http, response, reply.json()["device_token"])
        return response
    return _code(request, reset_id, reply.refusal(409, 422, 429))


async def _request(request: PageRequest, refused: Failure | None = None) -> Response:
    channels = await request.api.get("/v1/channels")
    return request.page(
        "sign_in/forgotten-pin.html",
        # Codes are sent later if notices is away.
        by_email=not channels.done or "email" in channels.json()["channels"],
        **forms.outcome_of(request, refused),
    )


def _code(request: PageRequest, reset_id: str, refused: Failure | None = None) -> Response:
    outcome = forms.outcome_of(request, refused)
    return request.page("sign_in/pin-code.html", reset_id=reset_id, **outcome)
