"""Pages on which somebody of the staff protects their account: PIN, codes from an app, sessions."""

from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply
from services.gateway.web.barcodes import qr
from services.gateway.web.page_request import Anyone, LoggedIn, PageRequest, PersonRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

OWN_LOG_IN = "/pin-and-codes"
"""Page on which people change their PIN."""

router = Pages(
    menus={
        "staff": [("/pin-and-codes", marked("PIN and codes"))],
        "tracer": [("/pin-and-codes", marked("PIN and codes"))],
        "admin": [("/pin-and-codes", marked("PIN and codes"))],
        "ops": [("/pin-and-codes", marked("PIN and codes"))],
    },
    messages={
        "pin-changed": marked("Your PIN is changed. Use the new one from now on."),
        "factor-removed": marked("You log in without a code from now on."),
    },
    problems={
        "wrong-code": marked("This code is wrong or was used already. Wait for the next one."),
        "factor-required": marked("Your account needs codes from an app. Set them up first."),
        "factor-exists": marked("This account uses codes from an app already."),
        "no-factor": marked("This account doesn't use codes from an app."),
        "common-pin": marked(
            "Many people use this PIN, so it is easy to guess. Please choose another."
        ),
        "sequential-pin": marked(
            "A PIN such as 123456 or 111111 is easy to guess. Please choose another."
        ),
        "card-in-pin": marked("A PIN can't be a part of the card number. Please choose another."),
        "date-as-pin": marked(
            "A date, such as a birthday, is easy to guess. Please choose another PIN."
        ),
        "wrong-pin": marked("Your PIN is wrong. Nothing was changed."),
        "pins-differ": marked("The two new PINs are different. Nothing was changed."),
    },
    at_fault={
        "wrong-pin": "pin",
        "pins-differ": "repeated_pin",
        "wrong-code": "factor_code",
    },
    fields={
        "new_pin": marked("New PIN, 6 to 64 characters"),
        "repeated_pin": marked("New PIN again"),
        "factor_code": marked("Code from the app, or a recovery code"),
    },
)


PATH = "/v1/second-factors"


@router.get("/second-factor")
async def get_factor(request: Anyone) -> Response:
    """Show the form to set up codes from an app."""
    return _factor_page(request)


@router.post("/second-factor")
async def post_factor(request: Anyone) -> Response:
    """Show the secret for the app, this once: it may not be kept in a cookie."""
    typed = {name: request.text(name) for name in ("card_number", "pin")}
    reply = await request.api.send("POST", PATH, typed)
    return _factor_page(request, reply, made=reply.json_or(None))


@router.post("/second-factor/confirmation")
async def post_confirmation(request: Anyone) -> Response:
    """Confirm the app with a first code, and show the recovery codes, this once."""
    typed = {
        name: request.text(name) for name in ("card_number", "pin", "factor_code", "factor_id")
    }
    reply = await request.api.send("POST", f"{PATH}/confirmation", typed)
    if reply.done:
        return _factor_page(request, codes=reply.json()["recovery_codes"])
    # The app has the secret already: it is not shown again.
    return _factor_page(
        request, reply, made={"factor_id": request.text("factor_id"), "secret": None}
    )


@router.post("/second-factor/removal")
async def post_factor_removal(request: Anyone) -> Response:
    """Remove the second factor, before the phone is changed."""
    typed = {name: request.text(name) for name in ("card_number", "pin", "factor_code")}
    reply = await request.api.send("POST", f"{PATH}/removal", typed)
    if reply.done:
        return request.go("/log-in", "factor-removed")
    return _factor_page(request, reply, removing=True)


@router.get("/second-factor/removal")
async def get_factor_removal(request: Anyone) -> Response:
    """Show the form to remove the second factor."""
    return _factor_page(request, removing=True)


def _factor_page(
    request: PageRequest,
    reply: Reply | None = None,
    *,
    made: dict[str, Any] | None = None,
    codes: list[str] | None = None,
    removing: bool = False,
) -> Response:
    refused = reply.refusal(401, 403, 404, 409, 422, 429) if reply and not reply.done else None
    uri = made.get("uri") if made else None
    return request.page(
        "sign_in/second-factor.html",
        **forms.outcome_of(request, refused),
        made=made,
        codes=codes,
        removing=removing,
        picture=qr(uri) if uri else "",
    )


@router.get(OWN_LOG_IN)
async def get_own_log_in(request: PersonRequest, caller: LoggedIn) -> Response:
    """Show the form to change the PIN; a patron has it in My Setting."""
    if "patron" in caller.roles:
        return request.go("/setting")
    return _own_page(request)


@router.post(OWN_LOG_IN)
async def post_own_pin(request: PersonRequest) -> Response:
    """Replace the caller's own PIN."""
    if request.text("new_pin") != request.text("repeated_pin"):
        return _own_page(request, Failure(409, "pins-differ"))
    typed = {"pin": request.text("pin"), "new_pin": request.text("new_pin")}
    reply = await request.api.send("PUT", "/v1/me/pin", typed)
    if reply.done:
        return request.go(OWN_LOG_IN, "pin-changed")
    return _own_page(request, reply.refusal(403, 409, 422, 429))


def _own_page(request: PageRequest, refused: Failure | None = None) -> Response:
    return request.page("sign_in/own-log-in.html", **forms.outcome_of(request, refused))
