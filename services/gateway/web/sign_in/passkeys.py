"""Log in with a passkey, by the script of the log-in page."""

from fastapi import Response
from fastapi.responses import JSONResponse

from services.gateway.web import session
from services.gateway.web.page_request import HEADERS, Anyone
from services.gateway.web.pages import Pages
from services.gateway.web.sign_in.log_in import logged_in
from shared.translations import marked

router = Pages(
    problems={
        "bad-passkey": marked(
            "You can't log in with this passkey. Please log in with your card number and PIN."
        ),
    },
)


@router.get("/log-in/passkey")
async def get_passkey_options(request: Anyone) -> Response:
    """Return the options for the script that logs in with a passkey, bound to this browser."""
    body = {"browser": session.browser_of(request.http, request.secret)}
    reply = await request.api.send("POST", "/v1/sessions/passkey-challenge", body)
    return JSONResponse(reply.json()["options"], headers=HEADERS)


@router.post("/log-in/passkey")
async def post_passkey(request: Anyone) -> Response:
    """Log in with the proof of a passkey."""
    typed = {
        "credential": request.text("credential"),
        "browser": session.browser_of(request.http, request.secret),
    }
    if device := session.device(request.http):
        typed["device_token"] = device
    return await logged_in(request, await request.api.send("POST", "/v1/sessions/passkey", typed))
