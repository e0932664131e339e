"""Pages of My Setting: preferences, contact, PIN, devices, calendar and e-mails."""

import asyncio
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from fastapi import Request, Response

from services.gateway.web import session
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.forms import filled
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.openid.patron import AUTHORIZATIONS
from services.gateway.web.page_request import (
    Anyone,
    PageRequest,
    PatronRequest,
    request_after,
)
from services.gateway.web.pages import Pages
from services.gateway.web.words import ACTIVITY_TYPES
from shared.translations import marked

router = Pages(
    menus={"patron": [("/setting", marked("My Setting"))]},
    messages={
        "preferences-saved": marked("Saved."),
        "contact-saved": marked("Your e-mail address and telephone number are saved."),
        "address-asked": marked(
            "A code was sent to your new e-mail address. Enter it here to use the address."
        ),
        "address-confirmed": marked("Your new e-mail address is confirmed, and used from now on."),
        "device-added": marked("This device shows your messages from now on."),
        "device-removed": marked("Stopped. The device shows no more messages."),
        "calendar-made": marked(
            "Your calendar has a new link. Copy it into your calendar program."
        ),
        "calendar-ended": marked("The link to your calendar has ended."),
    },
    problems={
        "wrong-address-code": marked(
            "This code is wrong, or can't be used any more. For another code, enter the address "
            "again."
        ),
        "too-many-addresses": marked(
            "You have entered many new e-mail addresses today. Please try again tomorrow."
        ),
        "channel-not-in-use": marked(
            "Nothing was saved: the library doesn't send messages in one of the ways you chose."
        ),
        "no-such-library-name": marked("No library has this name. Choose one from the list."),
        "no-address": marked(
            "Nothing was saved: the library doesn't have your address for this. Please enter it "
            "first."
        ),
        "bad-unsubscribe-link": marked(
            "This link doesn't work. You can turn off e-mails in My Setting."
        ),
        "push-off": marked("The library doesn't send messages to devices."),
        "no-such-device": marked("There is no such device."),
        "bad-subscription": marked("Your browser's subscription can't be used."),
        "too-many-devices": marked("You have too many devices. Stop one of them first."),
    },
    at_fault={
        "channel-not-in-use": "channel",
        "no-address": "channel",
        "no-such-library-name": "add_branch",
        "wrong-address-code": "address_code",
        "too-many-addresses": "email",
    },
    fields={
        "channel": marked("Also send messages by"),
        "add_branch": marked("Libraries to follow"),
        "address_code": marked("Code from the e-mail"),
    },
)


INBOX = "inbox"
"""The channel that can't be turned off."""
_FORMS: dict[str, dict[str, str]] = {
    "preferences": {},
    "contact": {"pin": "contact-pin"},
    "confirmation": {},
    "pin": {"pin": "pin-until-now"},
}
"""The forms of the page, with the ids of fields that two of them have."""


_SECTIONS = {"channel": "messages", "add_branch": "libraries"}
"""Sections of the form of preferences, by the field that was refused."""


@router.get("/setting")
async def get_setting(request: PatronRequest, section: str = "") -> Response:
    """Show My Setting: its sections, each with its present value, and one of them open."""
    return await _setting(request, section=section)


async def _setting(
    request: PageRequest,
    refused: Failure | None = None,
    form: str = "preferences",
    *,
    section: str = "",
    typed: Mapping[str, Any] = MappingProxyType({}),
) -> Response:
    """Show My Setting; `form` names the form that was refused, `typed` has its preferences."""
    read = request.api.get
    (preferences, contact, feed, in_use), listed, given, names = await asyncio.gather(
        asyncio.gather(*map(read, _READ)),
        read(DEVICES),
        read(AUTHORIZATIONS),
        branch_names(request.api),
    )
    setting = preferences.json() | typed
    channels = in_use.json()["channels"] if in_use.done else []
    followed = {code: code for code in setting["followed_branches"]}
    forms = {
        name: filled(request, refused if name == form else None, **ids)
        for name, ids in _FORMS.items()
    }
    if refused:
        faults = forms["preferences"].faults
        section = next((_SECTIONS[name] for name in faults if name in _SECTIONS), form)
        section = {"preferences": "messages", "confirmation": "contact"}.get(section, section)
    return request.page(
        "account/setting.html",
        opened=section,
        status=refused.status if refused else 200,
        setting=setting,
        contact=contact.json(),
        calendar=addresses(request, feed.json()),
        branches=followed | names,
        names=names,
        types=sorted({*ACTIVITY_TYPES, *setting["activity_types"]}),
        languages=LANGUAGES,
        channels=[channel for channel in channels if channel != INBOX],
        kept=[one for one in setting["channels"] if one != INBOX and one not in channels],
        devices=listed.json_or(None),
        authorizations=given.items,
        refused=refused,
        form=forms[form],
        forms=forms,
    )


@router.post("/setting")
async def post_setting(request: PatronRequest) -> Response:
    """Change My Setting. The next page is in the chosen language."""
    chosen: dict[str, Any] = {
        "followed_branches": request.texts("branch"),
        "activity_types": request.texts("type"),
        "channels": request.texts("channel"),
        "keep_history": request.text("keep_history") == "yes",
    }
    if request.text("asks_digest"):
        chosen["digest"] = request.text("digest") == "yes"
    if request.text("asks_renewal"):
        chosen["automatic_renewal"] = request.text("automatic_renewal") == "yes"
    if request.text("language"):
        chosen["language"] = request.text("language")
    if added := request.text("add_branch"):
        names = await branch_names(request.api)
        found = [code for code, name in names.items() if added.casefold() == name.casefold()]
        if not found:
            return await _setting(request, Failure(422, "no-such-library-name"), typed=chosen)
        chosen["followed_branches"] = [*chosen["followed_branches"], *found]
    reply = await request.send("PATCH", "/v1/me/preferences", chosen)
    if not reply.done:
        failure = reply.failure()
        if failure.status == 422 or failure.code in request.renderer.texts.at_fault:
            return await _setting(request, failure, typed=chosen)
        raise failure
    response = request.go("/setting", "preferences-saved")
    session.keep_language(request.http, response, reply.json()["language"])
    return response


@router.get("/setting/data")
async def get_data(request: PatronRequest) -> Response:
    """Return everything that the library holds about the patron, as a file to download."""
    reply = await request.api.get("/v1/me/data")
    return request.file(reply)


@router.post("/setting/contact")
async def post_contact(request: PatronRequest) -> Response:
    """Replace the patron's own e-mail address and telephone number."""
    typed = {
        "email": request.text("email") or None,
        "phone": request.text("phone") or None,
        "pin": request.text("pin"),
    }
    reply = await request.api.send("PUT", "/v1/me/contact", typed)
    waits = reply.done and reply.json()["new_email"] is not None
    return await _changed(request, reply, "contact", "address-asked" if waits else "contact-saved")


@router.post("/setting/contact/confirmation")
async def post_confirmation(request: PatronRequest) -> Response:
    """Confirm the patron's new e-mail address with the code that was sent there."""
    typed = {"address_code": request.text("address_code")}
    reply = await request.api.send("PUT", "/v1/me/contact/confirmation", typed)
    return await _changed(request, reply, "confirmation", "address-confirmed")


@router.post("/setting/pin")
async def post_pin(request: PatronRequest) -> Response:
    """Replace the patron's own PIN."""
    if request.text("new_pin") != request.text("repeated_pin"):
        return await _setting(request, Failure(409, "pins-differ"), "pin")
    typed = {"pin": request.text("pin"), "new_pin": request.text("new_pin")}
    reply = await request.api.send("PUT", "/v1/me/pin", typed)
    return await _changed(request, reply, "pin", "pin-changed")


async def _changed(request: PageRequest, reply: Reply, form: str, message: str) -> Response:
    if reply.done:
        here = "/setting?section=contact" if message == "address-asked" else "/setting"
        return request.go(here, message)
    return await _setting(request, reply.refusal(403, 409, 422, 429), form)


DEVICES = "/v1/me/push-subscriptions"
_READ = ("/v1/me/preferences", "/v1/me/contact", "/v1/me/calendar", "/v1/channels")

_BROWSERS = (("Edg", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS", "Mac"), ("CrOS", "Chromebook"), ("Linux", "Linux")),
)


@router.post("/setting/devices")
async def post_device(request: PatronRequest) -> Response:
    """Show the patron's messages on this device, which a script has subscribed."""
    named = {name: request.text(name) for name in ("endpoint", "p256dh", "auth")}
    name = device_name(request.http.headers.get("user-agent", ""))
    reply = await request.send("POST", DEVICES, named | {"name": name})
    if not reply.done:
        return request.refused("/setting", reply)
    return request.go("/setting?section=devices", "device-added")


@router.post("/setting/devices/{subscription_id}/removal")
async def post_removal(request: PatronRequest, subscription_id: str) -> Response:
    """Stop showing the patron's messages on a device."""
    reply = await request.send("DELETE", f"{DEVICES}/{segment(subscription_id)}")
    if not reply.done and reply.status != 404:
        raise reply.failure()
    return request.go("/setting?section=devices", "device-removed")


def device_name(user_agent: str) -> str:
    """Return a name by which a patron recognizes a device, such as "Firefox, Android"."""
    found = [
        next((name for mark, name in marks if mark in user_agent), "")
        for marks in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(name for name in found if name) or user_agent[:100] or "?"


def addresses(request: PageRequest, calendar: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a link: its address for programs, and one to open."""
    if calendar["path"] is None:
        return {**calendar, "address": "", "webcal": ""}
    address = f"{request.site}{calendar['path']}"
    return {**calendar, "address": address, "webcal": f"webcal:{address.partition(':')[2]}"}


@router.post("/setting/calendar")
async def post_calendar(request: PatronRequest) -> Response:
    """Make a new link, which replaces the one until now."""
    body = {"with_titles": bool(request.text("with_titles"))}
    reply = await request.send("POST", "/v1/me/calendar", body)
    reply.succeed()
    return request.go("/setting?section=calendar", "calendar-made")


@router.post("/setting/calendar/ending")
async def post_ending(request: PatronRequest) -> Response:
    """End the link."""
    reply = await request.send("DELETE", "/v1/me/calendar")
    reply.succeed()
    return request.go("/setting?section=calendar", "calendar-ended")


@router.get("/unsubscribe/{token}")
async def get_unsubscribe(request: Anyone, token: str) -> Response:
    """Ask before e-mail is turned off: mail programs follow links by themselves."""
    return request.page("account/unsubscribe.html", token=token, done=False)


@router.post("/unsubscribe/{token}")
async def post_unsubscribe(http: Request, token: str) -> Response:
    """Turn off e-mail; a mail program sends the same with one click (RFC 8058).

    The token is enough, so a form of ours is not needed. The answer is no redirect, because a mail
    program would not follow it.
    """
    request = await request_after(http)
    reply = await request.api.send("POST", "/v1/unsubscriptions", {"token": token})
    reply.succeed()
    return request.page("account/unsubscribe.html", token=token, done=True)
