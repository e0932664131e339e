"""Pages for patrons who have forgotten their PIN: ask for a code by e-mail, and enter it."""

from fastapi import APIRouter, Response

from services.gateway.web import session
from services.gateway.web.api import Failure, segment
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, Visit

router = APIRouter(include_in_schema=False)

_EDITABLE = (409, 422, 429)


@router.get("/forgotten-pin")
async def get_request(visit: Anyone) -> Response:
    """Show the form to ask for a code; without e-mail, where to get a new PIN instead."""
    return await _request(visit)


@router.post("/forgotten-pin")
async def post_request(visit: Anyone) -> Response:
    """Ask for a code, and continue to the page to enter it, whoever has the card."""
    typed = {"card_number": visit.text("card_number")}
    reply = await visit.api.send("POST", "/v1/pin-resets", typed, key=visit.key)
    if reply.done:
        return visit.go(f"/forgotten-pin/{segment(reply.json()['id'])}")
    return await _request(visit, _editable(reply.failure()))


@router.get("/forgotten-pin/{reset_id}")
async def get_code(visit: Anyone, reset_id: str) -> Response:
    """Show the form to enter the code and a new PIN. It is the same for every id."""
    return _code(visit, reset_id)


@router.post("/forgotten-pin/{reset_id}")
async def post_code(visit: Anyone, reset_id: str) -> Response:
    """Choose the new PIN; the patron then logs in with it."""
    if visit.text("new_pin") != visit.text("repeated_pin"):
        return _code(visit, reset_id, Failure(409, "pins-differ", "", []))
    device = session.device(visit.request)
    typed = {
        "reset_code": visit.text("reset_code"),
        "new_pin": visit.text("new_pin"),
        "device_token": device,
    }
    reply = await visit.api.send("PUT", f"/v1/pin-resets/{segment(reset_id)}", typed)
    if reply.done:
        response = visit.go("/log-in", FlashMessage("pin-changed", {}))
        if reply.json()["device_token"]:
            session.keep_device(visit.request, response, reply.json()["device_token"])
        return response
    return _code(visit, reset_id, _editable(reply.failure()))


def _editable(failure: Failure) -> Failure:
    """Return a failure that the visitor can correct. Raises any other."""
    if failure.status not in _EDITABLE:
        raise failure
    return failure


async def _request(visit: Visit, refused: Failure | None = None) -> Response:
    channels = await visit.api.get("/v1/channels")
    return visit.page(
        "forgotten-pin.html",
        status=refused.status if refused else 200,
        # Codes are sent later if notices is away.
        by_email=not channels.done or "email" in channels.json()["channels"],
        refused=refused,
        form=filled(visit, refused),
    )


def _code(visit: Visit, reset_id: str, refused: Failure | None = None) -> Response:
    return visit.page(
        "pin-code.html",
        status=refused.status if refused else 200,
        refused=refused,
        form=filled(visit, refused),
        reset_id=reset_id,
    )
