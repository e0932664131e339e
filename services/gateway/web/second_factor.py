"""Pages to set up the second factor of an account of staff, with a QR code for the app."""

from typing import Any

import segno
from fastapi import APIRouter, Response
from markupsafe import Markup

from services.gateway.web.api import Failure, Reply
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, Visit

router = APIRouter(include_in_schema=False)

PATH = "/v1/second-factors"
_EDITABLE = (401, 403, 404, 409, 422, 429)


@router.get("/second-factor")
async def get_factor(visit: Anyone) -> Response:
    """Show the form to set up codes from an app."""
    return _page(visit)


@router.post("/second-factor")
async def post_factor(visit: Anyone) -> Response:
    """Show the secret for the app, this once: it may not be kept in a cookie."""
    typed = {name: visit.text(name) for name in ("card_number", "pin")}
    reply = await visit.api.send("POST", PATH, typed)
    return _page(visit, reply, made=reply.json() if reply.done else None)


@router.post("/second-factor/confirmation")
async def post_confirmation(visit: Anyone) -> Response:
    """Confirm the app with a first code, and show the recovery codes, this once."""
    typed = {name: visit.text(name) for name in ("card_number", "pin", "factor_code", "factor_id")}
    reply = await visit.api.send("POST", f"{PATH}/confirmation", typed)
    if reply.done:
        return _page(visit, codes=reply.json()["recovery_codes"])
    # The app has the secret already: it is not shown again.
    return _page(visit, reply, made={"factor_id": visit.text("factor_id"), "secret": None})


@router.post("/second-factor/removal")
async def post_factor_removal(visit: Anyone) -> Response:
    """Remove the second factor, before the phone is changed."""
    typed = {name: visit.text(name) for name in ("card_number", "pin", "factor_code")}
    reply = await visit.api.send("POST", f"{PATH}/removal", typed)
    if reply.done:
        return visit.go("/log-in", FlashMessage("factor-removed", {}))
    return _page(visit, reply, removing=True)


@router.get("/second-factor/removal")
async def get_factor_removal(visit: Anyone) -> Response:
    """Show the form to remove the second factor."""
    return _page(visit, removing=True)


def _page(
    visit: Visit,
    reply: Reply | None = None,
    *,
    made: dict[str, Any] | None = None,
    codes: list[str] | None = None,
    removing: bool = False,
) -> Response:
    refused = _editable(reply)
    uri = made.get("uri") if made else None
    # Without a size it is as large as the page lets it be, and never cut off.
    picture = segno.make(uri, micro=False).svg_inline(omitsize=True) if uri else ""
    return visit.page(
        "second-factor.html",
        status=refused.status if refused else 200,
        refused=refused,
        form=filled(visit, refused),
        made=made,
        codes=codes,
        removing=removing,
        picture=Markup(picture),  # noqa: S704 - ours
    )


def _editable(reply: Reply | None) -> Failure | None:
    """Return a failure that the visitor can correct. Raises any other."""
    if reply is None or reply.done:
        return None
    failure = reply.failure()
    if failure.status not in _EDITABLE:
        raise failure
    return failure
