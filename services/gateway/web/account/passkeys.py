"""Page on which patrons and staff see, add and remove their passkeys."""

from typing import Any

from fastapi import Response
from fastapi.responses import JSONResponse

from services.gateway.web.account.settings import device_name
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.forms import filled
from services.gateway.web.page_request import HEADERS, PersonRequest
from services.gateway.web.pages import Pages
from services.gateway.web.sign_in.own_access import OWN_LOG_IN
from shared.translations import marked

PASSKEYS = "/v1/me/passkeys"

router = Pages(
    messages={
        "passkey-added": marked("Your passkey is added. Log in with it from now on."),
        "passkey-removed": marked("The passkey is removed. Nobody can log in with it any more."),
    },
    problems={
        "passkey-not-added": marked("The passkey was not added. Please try again on this page."),
        "too-many-passkeys": marked("You have 10 passkeys already. Remove one of them first."),
        "no-such-passkey": marked("This passkey was removed already."),
    },
)


@router.get("/passkeys")
async def get_passkeys(request: PersonRequest) -> Response:
    """Show the visitor's passkeys, and the form to add one."""
    return await _page(request)


@router.post("/passkeys/options")
async def post_options(request: PersonRequest) -> Response:
    """Return the options for the script that adds a passkey, after the PIN; else the problem."""
    reply = await request.api.send("POST", f"{PASSKEYS}/challenge", {"pin": request.text("pin")})
    if reply.done:
        return JSONResponse(reply.json()["options"], headers=HEADERS)
    refused = reply.refusal(403, 409, 422, 429)
    texts = request.renderer.texts.problems
    said = request.language.say(texts.get(refused.code, texts["malformed"]))
    return JSONResponse({"problem": said}, refused.status, headers=HEADERS)


@router.post("/passkeys/new")
async def post_passkey(request: PersonRequest) -> Response:
    """Add the passkey that the browser has made."""
    typed = {name: request.text(name) for name in ("name", "credential")}
    reply = await request.send("POST", PASSKEYS, typed)
    return await _changed(request, reply, "passkey-added")


@router.post("/passkeys/{passkey_id}/removal")
async def post_removal(request: PersonRequest, passkey_id: str) -> Response:
    """Remove a passkey."""
    path = f"{PASSKEYS}/{segment(passkey_id)}/removal"
    reply = await request.send("POST", path, {"pin": request.text("pin")})
    return await _changed(request, reply, "passkey-removed", passkey_id)


async def _changed(
    request: PersonRequest, reply: Reply, message: str, passkey_id: str = ""
) -> Response:
    if reply.done:
        return request.go("/passkeys", message)
    return await _page(request, reply.refusal(403, 404, 409, 422, 429), passkey_id)


async def _page(
    request: PersonRequest, refused: Failure | None = None, removing: str = ""
) -> Response:
    passkeys: list[dict[str, Any]] = (await request.api.get(PASSKEYS)).json()["items"]
    forms = {
        one["id"]: filled(
            request, refused if one["id"] == removing else None, pin=f"pin-{one['id']}"
        )
        for one in passkeys
    }
    adding = filled(request, None if removing else refused)
    return request.page(
        "account/passkeys.html",
        status=refused.status if refused else 200,
        passkeys=passkeys,
        refused=refused,
        removing=removing,
        form=forms.get(removing, adding) if removing else adding,
        forms=forms,
        device=device_name(request.http.headers.get("user-agent", "")),
        back="/setting" if request.is_patron else OWN_LOG_IN,
    )
