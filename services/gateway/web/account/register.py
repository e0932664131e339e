"""Pages to register without a visit: apply, enter the code from the e-mail, get a card."""

from typing import Any

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.page_request import Anyone, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    problems={
        "self-registration-off": marked("You can't register here. Please register at any library."),
        "too-many-applications": marked(
            "Too many cards were asked for with this e-mail address or from this network. Please "
            "try again later, or register at any library."
        ),
        "wrong-application-code": marked(
            "This code is wrong or too old. Check it, or register again."
        ),
        "one-card-for-address": marked(
            "There is a provisional card with this e-mail address. Show a document at any library "
            "to get a full one, or a card for somebody else."
        ),
    },
    at_fault={"wrong-application-code": "application_code"},
    fields={"application_code": marked("Code from the e-mail")},
)

_FIELDS = ("name", "born_on", "email", "pin", "home_branch")


@router.get("/register")
async def get_form(request: Anyone) -> Response:
    """Show the form to apply for a card; without e-mail, where to register instead."""
    return await _form(request)


@router.post("/register")
async def post_form(request: Anyone) -> Response:
    """Apply, and continue to the page to enter the code, whatever the address is."""
    if request.text("pin") != request.text("repeated_pin"):
        return await _form(request, Failure(409, "pins-differ"))
    body = {name: request.text(name) for name in _FIELDS} | {"language": request.language.code}
    reply = await request.send("POST", "/v1/card-applications", body)
    if reply.done:
        return request.go(f"/register/{segment(reply.json()['id'])}")
    return await _form(request, reply.refusal(409, 404, 422, 429))


@router.get("/register/{application_id}")
async def get_code(request: Anyone, application_id: str) -> Response:
    """Show the form to enter the code. It is the same for every id."""
    return _code(request, application_id)


@router.post("/register/{application_id}")
async def post_code(request: Anyone, application_id: str) -> Response:
    """Confirm the address, and show the number of the card: no cookie must carry it."""
    body = {"application_code": request.text("application_code")}
    path = f"/v1/card-applications/{segment(application_id)}"
    reply = await request.api.send("PUT", path, body)
    if reply.done:
        return _code(request, application_id, card=reply.json())
    return _code(request, application_id, reply.refusal(409, 422, 429))


async def _form(request: PageRequest, refused: Failure | None = None) -> Response:
    channels = await request.api.get("/v1/channels")
    return request.page(
        "account/register.html",
        by_email=not channels.done or "email" in channels.json()["channels"],
        branches=await branch_names(request.api),
        **forms.outcome_of(request, refused),
    )


def _code(
    request: PageRequest,
    application_id: str,
    refused: Failure | None = None,
    card: dict[str, Any] | None = None,
) -> Response:
    outcome = forms.outcome_of(request, refused)
    return request.page(
        "account/register-code.html", application_id=application_id, card=card, **outcome
    )
