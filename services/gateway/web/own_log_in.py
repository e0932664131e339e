"""The page on which somebody of the staff protects their own account: PIN, codes, sessions."""

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import LoggedIn, PersonVisit, Visit

router = APIRouter(include_in_schema=False)

_EDITABLE = frozenset({403, 409, 422, 429})
"""Refusals that the page tells beside the form."""


@router.get("/pin-and-codes")
async def get_own_log_in(visit: PersonVisit, caller: LoggedIn) -> Response:
    """Show the form to change the PIN; a patron has it in My Setting."""
    if "patron" in caller.roles:
        return visit.go("/setting")
    return _page(visit)


@router.post("/pin-and-codes")
async def post_own_pin(visit: PersonVisit) -> Response:
    """Replace the caller's own PIN."""
    if visit.text("new_pin") != visit.text("repeated_pin"):
        return _page(visit, Failure(409, "pins-differ", "", []))
    typed = {"pin": visit.text("pin"), "new_pin": visit.text("new_pin")}
    reply = await visit.api.send("PUT", "/v1/me/pin", typed)
    if reply.done:
        return visit.go("/pin-and-codes", FlashMessage("pin-changed", {}))
    failure = reply.failure()
    if failure.status not in _EDITABLE or failure.code == "forbidden":
        raise failure
    return _page(visit, failure)


def _page(visit: Visit, refused: Failure | None = None) -> Response:
    return visit.page(
        "own-log-in.html",
        status=refused.status if refused else 200,
        refused=refused,
        form=filled(visit, refused),
    )
