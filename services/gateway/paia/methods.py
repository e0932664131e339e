"""The methods that read an account, log in and out, and the table of all methods by address."""

import asyncio
from collections.abc import Mapping
from typing import Any, get_args

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from starlette.routing import Route

from services.gateway.paia import daia, documents, orders
from services.gateway.paia.answers import SCOPES
from services.gateway.paia.calls import Call, Method, answer, sent_token
from services.gateway.web.api import Failure, segment
from services.gateway.web.words import PAIA
from shared.http.problems import NotFound
from shared.rights import Scope

RESET = "reset_password"
"""Scope, and the token itself, to ask for a new PIN: anybody may do that, so it is no secret."""
_RESET_SECONDS = 900
Answered = dict[str, Any]


async def patron(call: Call) -> Answered:
    """Return general information about the patron; without accounts no contact."""
    overview, contact = await asyncio.gather(call.api.get("/v1/me"), call.api.get("/v1/me/contact"))
    known = contact.json() if contact.done else {}
    return documents.patron(overview.json()["patron"], known, call.today)


async def change_patron(_call: Call) -> Answered:
    """Refuse to change contacts: a change needs the PIN, which this method does not send."""
    raise Failure(501, "contact-needs-pin")


async def items(call: Call) -> Answered:
    """List the loans and holds of the patron."""
    held, reserved, _ = await orders.known(call)
    return {"doc": [document for _, document in (*held, *reserved)]}


async def fees(call: Call) -> Answered:
    """List what the patron has to pay. Refunds due and fines that still accrue are not shown."""
    charges = await call.rows("/v1/me/charges", open_only="true")
    owed = [charge for charge in charges if charge["outstanding_cents"]]
    total = sum(charge["outstanding_cents"] for charge in owed)
    fee = [documents.fee(charge, call.language) for charge in owed]
    return {"amount": documents.money(total), "fee": fee}


async def notifications(call: Call) -> dict[str, list[Answered]]:
    """List the unread ones of the newest 200 notifications, in the patron's own language."""
    base = f"{call.site}/paia/core/{segment(call.patron_id)}/notifications"
    unread = [
        {"id": f"{base}/{one['id']}", "about": one["text"], "date": documents.seconds(one["at"])}
        for one in await call.rows("/v1/me/inbox")
        if not one["read"]
    ]
    return {"notification": unread}


async def notification(call: Call) -> Answered:
    """Return one of the listed notifications."""
    for one in (await notifications(call))["notification"]:
        if one["id"].endswith(f"/{call.http.path_params['notification']}"):
            return one
    raise Failure(404, "not-found")


async def delete_notification(call: Call) -> None:
    """Mark a notification as read, so that it is listed no more; My Account still shows it."""
    one = segment(call.http.path_params["notification"])
    (await call.api.send("POST", f"/v1/me/inbox/{one}/read")).succeed()


async def log_in(call: Call) -> Response:
    """Open a session that is limited to scopes. Raises Failure.

    Without a password it gives the token to ask for a new PIN, for cards that do not exist too.
    """
    username, asked = call.text("username"), call.text("scope").split()
    default = () if asked else [scope for scope in get_args(Scope) if scope != "change_password"]
    scopes: list[str] = [scope for scope in get_args(Scope) if scope in (*asked, *default)]
    if RESET in asked and username and not call.text("password"):
        given = {"patron_id": username, "access_token": RESET, "expires_in": _RESET_SECONDS}
        scopes = [RESET]
    elif call.text("grant_type") != "password" or not scopes:
        raise Failure(422, "malformed")
    else:
        typed = {"card_number": username, "pin": call.text("password"), "scopes": scopes}
        reply = await call.api.send("POST", "/v1/sessions", typed)
        if reply.status == 422:
            raise Failure(401, "bad-credentials")  # no card or PIN has this form
        given = reply.json()
    answered = {
        "patron": given["patron_id"],
        "access_token": given["access_token"],
        "token_type": "Bearer",
        "expires_in": given["expires_in"],
        "scope": " ".join(scopes),
    }
    headers = {"Cache-Control": "no-store", "Pragma": "no-cache", SCOPES: " ".join(scopes)}
    return JSONResponse(answered, headers=headers)


async def log_out(call: Call) -> Answered:
    """End the session of the token."""
    (await call.api.send("DELETE", "/v1/sessions/current")).succeed()
    return {"patron": call.patron_id}


async def change(call: Call) -> Answered:
    """Replace the PIN of the patron whose token it is. All other sessions end.

    `username` is not compared with the card: the token names the patron, and VuFind sends their id.
    """
    if call.text("patron") != call.patron_id:
        raise Failure(404, "not-found")
    pins = {"pin": call.text("old_password"), "new_pin": call.text("new_password")}
    (await call.api.send("PUT", "/v1/me/pin", pins)).succeed()
    return {"patron": call.patron_id}


async def reset(call: Call) -> Answered:
    """Ask for a code to choose a new PIN, which is sent to the patron's e-mail address."""
    if sent_token(call.http) != RESET:
        raise Failure(401, "unauthenticated")
    card = call.text("patron")
    asked = (await call.api.send("POST", "/v1/pin-resets", {"card_number": card})).json()
    address = f"{call.site}/forgotten-pin/{asked['id']}"
    return {"patron": card, "message": call.language.say(PAIA["code-sent"]) % {"address": address}}


_CORE = "/paia/core/{patron}"
METHODS: Mapping[str, Mapping[str, Method]] = {
    _CORE: {"GET": Method(patron, ("read_patron",)), "PATCH": Method(change_patron)},
    f"{_CORE}/items": {"GET": Method(items, ("read_items",))},
    f"{_CORE}/request": {"POST": Method(orders.request, ("write_items",))},
    f"{_CORE}/renew": {"POST": Method(orders.renew, ("write_items",))},
    f"{_CORE}/cancel": {"POST": Method(orders.cancel, ("write_items",))},
    f"{_CORE}/fees": {"GET": Method(fees, ("read_fees",))},
    f"{_CORE}/notifications": {"GET": Method(notifications, ("read_notifications",))},
    f"{_CORE}/notifications/{{notification}}": {
        "GET": Method(notification, ("read_notifications",)),
        "DELETE": Method(delete_notification, ("delete_notifications",)),
    },
    "/paia/auth/login": {"POST": Method(log_in, needs_token=False)},
    "/paia/auth/logout": {"POST": Method(log_out)},
    "/paia/auth/change": {"POST": Method(change, ("change_password",))},
    "/paia/auth/reset": {"POST": Method(reset, needs_token=False)},
    "/daia": {"GET": Method(daia.availability, needs_token=False)},
}
_VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def _route(path: str, methods: Mapping[str, Method]) -> Route:
    async def endpoint(request: Request) -> Response:
        request.scope["route"] = route  # its template is in logs and metrics
        return await answer(methods, request)

    route = Route(path, endpoint, methods=_VERBS, include_in_schema=False)
    return route


async def _unknown(_: Request) -> Response:
    raise NotFound("method")


router = APIRouter(include_in_schema=False)
router.routes.extend(_route(path, methods) for path, methods in METHODS.items())
router.routes.append(Route("/paia/{path:path}", _unknown, methods=_VERBS, include_in_schema=False))
