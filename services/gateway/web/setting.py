"""The page of My Setting: preferences, own addresses, and the PIN."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web import calendar, session
from services.gateway.web.api import Failure, Reply
from services.gateway.web.branches import branch_names
from services.gateway.web.devices import PATH as DEVICES
from services.gateway.web.fields import filled
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import HEADERS, PatronVisit, Visit
from services.gateway.web.words import ACTIVITY_TYPES, AT_FAULT

router = APIRouter(include_in_schema=False)

INBOX = "inbox"
"""The channel that can't be turned off."""
_FORMS: dict[str, dict[str, str]] = {
    "preferences": {},
    "contact": {"pin": "contact-pin"},
    "confirmation": {},
    "pin": {"pin": "pin-until-now"},
}
"""The forms of the page, with the ids of fields that two of them have."""
_EDITABLE = frozenset({403, 409, 422, 429})
"""Refusals that the form's page tells, with what was typed."""


@router.get("/setting")
async def get_setting(visit: PatronVisit) -> Response:
    """Show My Setting in a form."""
    return await _setting(visit)


async def _setting(
    visit: Visit, refused: Failure | None = None, form: str = "preferences"
) -> Response:
    """Show My Setting; `form` names the form that was refused."""
    preferences, contact, feed, in_use, listed, names = await asyncio.gather(
        visit.api.get("/v1/me/preferences"),
        visit.api.get("/v1/me/contact"),
        visit.api.get("/v1/me/calendar"),
        visit.api.get("/v1/channels"),
        visit.api.get(DEVICES),
        branch_names(visit.api),
    )
    setting = preferences.json()
    channels = in_use.json()["channels"] if in_use.done else []
    followed = {code: code for code in setting["followed_branches"]}
    forms = {
        name: filled(visit, refused if name == form else None, **ids)
        for name, ids in _FORMS.items()
    }
    return visit.page(
        "setting.html",
        status=refused.status if refused else 200,
        setting=setting,
        contact=contact.json(),
        calendar=calendar.addresses(visit, feed.json()),
        branches=followed | names,
        types=sorted({*ACTIVITY_TYPES, *setting["activity_types"]}),
        languages=LANGUAGES,
        channels=[channel for channel in channels if channel != INBOX],
        kept=[one for one in setting["channels"] if one != INBOX and one not in channels],
        devices=listed.json() if listed.done else None,
        refused=refused,
        form=forms[form],
        forms=forms,
    )


@router.post("/setting")
async def post_setting(visit: PatronVisit) -> Response:
    """Change My Setting. The next page is in the chosen language."""
    chosen: dict[str, Any] = {
        "followed_branches": visit.texts("branch"),
        "activity_types": visit.texts("type"),
        "channels": visit.texts("channel"),
        "keep_history": visit.text("keep_history") == "yes",
    }
    if visit.text("asks_digest"):
        chosen["digest"] = visit.text("digest") == "yes"
    if visit.text("language"):
        chosen["language"] = visit.text("language")
    reply = await visit.api.send("PATCH", "/v1/me/preferences", chosen, key=visit.key)
    if not reply.done:
        failure = reply.failure()
        if failure.status == 422 or failure.code in AT_FAULT:
            return await _setting(visit, failure)
        raise failure
    response = visit.go("/setting", FlashMessage("preferences-saved", {}))
    session.keep_language(visit.request, response, reply.json()["language"])
    return response


@router.get("/setting/data")
async def get_data(visit: PatronVisit) -> Response:
    """Return everything that the library holds about the patron, as a file to download."""
    reply = await visit.api.get("/v1/me/data")
    if not reply.done:
        raise reply.failure()
    names = ("content-type", "content-disposition")
    headers = HEADERS | {name: reply.headers[name] for name in names}
    return Response(reply.content, headers=headers)


@router.post("/setting/contact")
async def post_contact(visit: PatronVisit) -> Response:
    """Replace the patron's own e-mail address and telephone number."""
    typed = {
        "email": visit.text("email") or None,
        "phone": visit.text("phone") or None,
        "pin": visit.text("pin"),
    }
    reply = await visit.api.send("PUT", "/v1/me/contact", typed)
    waits = reply.done and reply.json()["new_email"] is not None
    return await _changed(visit, reply, "contact", "address-asked" if waits else "contact-saved")


@router.post("/setting/contact/confirmation")
async def post_confirmation(visit: PatronVisit) -> Response:
    """Confirm the patron's new e-mail address with the code that was sent there."""
    typed = {"address_code": visit.text("address_code")}
    reply = await visit.api.send("PUT", "/v1/me/contact/confirmation", typed)
    return await _changed(visit, reply, "confirmation", "address-confirmed")


@router.post("/setting/pin")
async def post_pin(visit: PatronVisit) -> Response:
    """Replace the patron's own PIN."""
    if visit.text("new_pin") != visit.text("repeated_pin"):
        return await _setting(visit, Failure(409, "pins-differ", "", []), "pin")
    typed = {"pin": visit.text("pin"), "new_pin": visit.text("new_pin")}
    reply = await visit.api.send("PUT", "/v1/me/pin", typed)
    return await _changed(visit, reply, "pin", "pin-changed")


async def _changed(visit: Visit, reply: Reply, form: str, said: str) -> Response:
    if reply.done:
        return visit.go("/setting", FlashMessage(said, {}))
    failure = reply.failure()
    if failure.status not in _EDITABLE or failure.code == "forbidden":
        raise failure
    return await _setting(visit, failure, form)
