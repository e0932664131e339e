"""Log in at the library's identity provider, and out of it."""

from dataclasses import replace

from fastapi import Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import FormData

from services.gateway.web import session
from services.gateway.web.page_request import HEADERS, Anyone, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import own_path
from services.gateway.web.sign_in.log_in import LOG_OUT_THERE, logged_in
from shared.translations import marked

router = Pages(
    problems={
        "no-provider": marked("Please log in with your card number and PIN."),
        "provider-away": marked(
            "The log-in service can't be reached at the moment. Log in with your card number and "
            "PIN, or try again later."
        ),
        "bad-provider-log-in": marked(
            "This log-in didn't work or took too long. Try again, or log in with your card number "
            "and PIN."
        ),
        "no-linked-account": marked(
            "No account of the library is linked with your log-in there. Ask an administrator of "
            "the library to link it, or log in with your card number and PIN."
        ),
        "no-role-given": marked(
            "Your groups at the log-in service give you no role of your account. Ask the people "
            "who manage these groups, or log in with your card number and PIN."
        ),
        "provider-factor-needed": marked(
            "Your account needs a second factor, and the log-in service didn't tell of one. Log in "
            "with your card number, PIN and a code."
        ),
    },
)

_COOKIE_SECONDS = 600


@router.get("/log-in/provider")
async def get_provider(request: Anyone, next: str = "/") -> Response:  # noqa: A002 - as in addresses
    """Lead the browser to the provider. A cookie binds the answer to it."""
    browser = session.new_guest()
    reply = await request.api.send("POST", "/v1/sessions/provider-request", {"browser": browser})
    if not reply.done:
        return await logged_in(_to(request, next), reply)
    response = RedirectResponse(reply.json()["address"], 303, HEADERS)
    value = f"{browser}~{own_path(next)}"
    session.keep(request.http, response, session.PROVIDER, value, seconds=_COOKIE_SECONDS)
    return response


@router.get("/log-in/provider/callback")
async def get_callback(
    request: Anyone, state: str = "", code: str = "", iss: str = "", error: str = ""
) -> Response:
    """Log in with the answer of the provider, and go on to the page that was asked for."""
    browser, _, target = session.cookie(request.http, session.PROVIDER).partition("~")
    inside = _to(request, target)
    if error or not (browser and state and code):
        response = request.page(
            "sign_in/log-in.html",
            status=401,
            problem="bad-provider-log-in",
            hidden={"next": inside.text("next")},
        )
    else:
        typed = {"browser": browser, "state": state, "code": code, "issuer": iss}
        if device := session.device(request.http):
            typed["device_token"] = device
        reply = await request.api.send("POST", "/v1/sessions/provider", typed)
        response = await logged_in(inside, reply)
        if reply.done:
            session.keep(request.http, response, session.PROVIDER, session.LEFT_BY)
            return response
    session.drop(request.http, response, session.PROVIDER)
    return response


@router.get(LOG_OUT_THERE)
async def get_log_out(request: Anyone) -> Response:
    """Offer to log out of the provider too, if it can be done."""
    reply = await request.api.get("/v1/sessions/provider-log-out")
    there = reply.json_or({"address": None})["address"]
    if there and not request.caller:
        return request.page("sign_in/provider-log-out.html", there=there)
    return request.go("/log-in")


def _to(request: PageRequest, target: str) -> PageRequest:
    """Return the request as the form to log in sends it, with the page to go on to."""
    return replace(request, form=FormData({"next": own_path(target)}))
