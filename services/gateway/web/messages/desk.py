"""Desk pages of messages to readers: deliveries, webhooks, and wordings."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.forms import Fields
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from shared.translations import marked

router = Pages(
    menus={
        "staff": [
            ("/desk/deliveries", marked("E-mails")),
            ("/desk/wordings", marked("Wordings")),
            ("/desk/webhooks", marked("Webhooks")),
        ],
    },
    messages={
        "wording-saved": marked("The wording is saved. Messages and e-mails have it from now on."),
        "trial-sent": marked("The trial is sent."),
        "webhook-tested": marked(
            "A test message is sent. Load this page again to see if it arrived."
        ),
        "webhook-on": marked("The webhook is turned on."),
        "webhook-off": marked("The webhook is turned off."),
        "webhook-deleted": marked("The webhook is deleted."),
    },
    problems={
        "bad-placeholder": marked(
            "A text has a placeholder that does not exist here, or a brace without a partner. Use "
            "the placeholders listed below."
        ),
        "no-mail-server": marked("E-mail is turned off: no mail server is set."),
        "no-such-kind": marked("There is no such kind of message."),
        "no-such-version": marked("This wording has no such version."),
        "trial-not-sent": marked("The mail server did not take the e-mail. Check the address."),
        "wording-changed": marked(
            "Someone has changed this wording since you opened it. Read the versions below, then "
            "save yours again."
        ),
        "webhooks-off": marked("Webhooks are turned off on this system."),
        "no-such-webhook": marked("There is no such webhook."),
        "bad-webhook-url": marked(
            "The address begins with https:// and names a host on the public internet."
        ),
        "no-such-topic": marked("There are no such messages."),
        "too-many-webhooks": marked("There are too many webhooks. Delete one first."),
        "webhook-disabled": marked("The webhook is turned off. Turn it on first."),
    },
    at_fault={
        "trial-not-sent": "address",
        "bad-webhook-url": "url",
    },
    fields={
        "topics": marked("Messages about"),
        "url": marked("Address of the app"),
    },
)


DELIVERY_STATES = {
    "waiting": marked("Waiting to be sent"),
    "held": marked("Held back"),
    "sent": marked("Sent"),
    "dropped": marked("Not sent"),
    "bounced": marked("Refused"),
    "failed": marked("Given up"),
}
"""States of a message to a reader."""

DELIVERY_CHANNELS = {
    "inbox": marked("Inbox"),
    "email": marked("E-mail"),
    "post": marked("Letter"),
}
"""Channels of messages to readers."""

UNSENT = {
    "withdrawn": marked("the message was withdrawn"),
    "outdated": marked("it was no longer true"),
    "no-address": marked("the reader has turned off e-mail, or no address is on file"),
    "by-email": marked("an e-mail was sent instead"),
    "refused": marked("the mail server does not accept the address"),
    "bad-address": marked("the address can't be used"),
    "too-late": marked("it could not be sent for a day"),
}
"""Reasons why a message was not sent."""

WEBHOOK_STATES = {
    "enabled": marked("On"),
    "disabled": marked("Turned off"),
    "failing": marked("Turned off: nothing could be sent for three days"),
    "gone": marked("Turned off: the app says that this address is gone"),
}
"""States of a webhook."""

WEBHOOK_FAILURES = {
    "away": marked("there was no answer"),
    "refused": marked("the app answered with an error"),
    "no-key": marked("its secret can't be read any more; replace it"),
    "not-allowed": marked("the address is not on the public internet"),
}
"""Reasons why a message to a webhook was not sent."""

ABOUT = {
    "loan": marked("Loan"),
    "hold": marked("Reservation"),
    "fine": marked("Charge"),
    "fines": marked("Suspensions of fines"),
    "activity": marked("Activity"),
    "registration": marked("Activity"),
    "recording": marked("Recording"),
    "branch": marked("Library"),
    "enquiry": marked("Question"),
    "admission": marked("Study room"),
    "digest": marked("One e-mail a day with everything"),
    "pin": marked("PIN"),
    "patron": marked("Library card"),
    "alert": marked("Security of the account"),
    "booking": marked("Study room"),
    "payment": marked("Receipt"),
    "receipt": marked("Receipt"),
}
"""Subjects of messages, by the first part of their kind."""

LISTED = 20


@router.get("/desk/deliveries")
async def get_deliveries(
    request: DeskRequest, state: str = "", patron: str = "", after: str = ""
) -> Response:
    """List deliveries of a state, or all; those of one reader if named."""
    return await _list(request, state, patron, after)


@router.post("/desk/deliveries")
async def post_card(request: DeskRequest) -> Response:
    """Go to the messages of the reader with a card, whose number stays out of the address."""
    patron = await forms.card_holder(request)
    if isinstance(patron, Failure):
        return await _list(request, refused=patron)
    return request.go(f"/desk/deliveries?{urlencode({'patron': patron['id']})}")


async def _list(
    request: PageRequest,
    state: str = "",
    patron: str = "",
    after: str = "",
    refused: Failure | None = None,
) -> Response:
    query = {"state": state, "patron": patron, "after": after, "limit": str(LISTED)}
    asked, in_use = await asyncio.gather(
        request.api.get("/v1/deliveries", **{name: text for name, text in query.items() if text}),
        request.api.get("/v1/channels"),
    )
    found = asked.json()
    return request.page(
        "messages/deliveries.html",
        **forms.outcome_of(request, refused),
        deliveries=found["items"],
        readers=await _readers(request, found["items"]),
        next=found["next"],
        state=state,
        patron=patron,
        states=DELIVERY_STATES,
        unsent=UNSENT,
        about=ABOUT,
        channels=DELIVERY_CHANNELS,
        off=in_use.done and "email" not in in_use.json()["channels"],
    )


async def _readers(
    request: PageRequest, deliveries: list[dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the readers of these deliveries by id, as far as accounts answers."""
    ids = sorted({one["patron_id"] for one in deliveries if one["patron_id"]})
    replies = await asyncio.gather(
        *(request.api.get(f"/v1/patrons/{segment(patron_id)}") for patron_id in ids)
    )
    return {
        patron_id: reply.json() for patron_id, reply in zip(ids, replies, strict=True) if reply.done
    }


WEBHOOKS = "/v1/webhooks"


@router.get("/desk/webhooks")
async def get_webhooks(request: DeskRequest) -> Response:
    """List the webhooks, with a form for another."""
    return await _page(request)


@router.post("/desk/webhooks")
async def post_webhook(request: DeskRequest) -> Response:
    """Register a webhook and show its secret, this once: it may not be kept in a cookie."""
    body = {"url": request.text("url"), "topics": request.texts("topics")}
    reply = await request.send("POST", WEBHOOKS, body)
    return await _page(request, reply)


@router.post("/desk/webhooks/{webhook_id}/secret")
async def post_secret(request: DeskRequest, webhook_id: str) -> Response:
    """Replace the secret of a webhook and show the new one, this once."""
    reply = await request.send("POST", f"{WEBHOOKS}/{segment(webhook_id)}/secret")
    return await _page(request, reply)


@router.post("/desk/webhooks/{webhook_id}/test")
async def post_test(request: DeskRequest, webhook_id: str) -> Response:
    """Send a message to see whether it arrives."""
    reply = await request.send("POST", f"{WEBHOOKS}/{segment(webhook_id)}/tests")
    return _done(request, reply, "webhook-tested")


@router.post("/desk/webhooks/{webhook_id}/state")
async def post_state(request: DeskRequest, webhook_id: str) -> Response:
    """Turn a webhook on or off."""
    enabled = request.text("enabled") == "yes"
    path = f"{WEBHOOKS}/{segment(webhook_id)}"
    reply = await request.send("PATCH", path, {"enabled": enabled})
    return _done(request, reply, "webhook-on" if enabled else "webhook-off")


@router.post("/desk/webhooks/{webhook_id}/deletion")
async def post_deletion(request: DeskRequest, webhook_id: str) -> Response:
    """Delete a webhook."""
    reply = await request.send("DELETE", f"{WEBHOOKS}/{segment(webhook_id)}")
    return _done(request, reply, "webhook-deleted")


def _done(request: PageRequest, reply: Reply, message: str) -> Response:
    if reply.done:
        return request.go("/desk/webhooks", message)
    return request.refused("/desk/webhooks", reply)


async def _page(request: PageRequest, reply: Reply | None = None) -> Response:
    """Show the webhooks after a command; a successful one has brought a secret."""
    listed: dict[str, Any] = (await request.api.get(WEBHOOKS)).json()
    return request.page(
        "messages/webhooks.html",
        webhooks=listed["items"],
        topics=listed["topics"],
        fresh=reply.json() if reply is not None and reply.done else None,
        about=ABOUT,
        states=WEBHOOK_STATES,
        failures=WEBHOOK_FAILURES,
        **forms.outcome(request, reply),
    )


PARTS = ("subject", "opening", "text", "closing")


@router.get("/desk/wordings")
async def get_wordings(request: DeskRequest) -> Response:
    """List the kinds of messages, with a link to the wording in each language."""
    replies = await asyncio.gather(
        *(request.api.get("/v1/wordings", language=code) for code in LANGUAGES)
    )
    by_language = [{one["kind"]: one for one in reply.json()["items"]} for reply in replies]
    return request.page(
        "messages/wordings.html",
        kinds={kind: [one[kind] for one in by_language] for kind in by_language[0]},
        own=list(LANGUAGES).index(request.language.code),
        languages=LANGUAGES,
    )


@router.get("/desk/wording")
async def get_wording(request: DeskRequest, kind: str = "", of: str = "") -> Response:
    """Show the form with the wording of a kind in a language."""
    return await _form(request, kind, of)


@router.post("/desk/wording")
async def post_wording(request: DeskRequest) -> Response:
    """Save the texts, show a message with them, or send it once to an address."""
    kind, of = request.text("kind"), request.text("of")
    texts: dict[str, Any] = {name: request.text(name) or None for name in PARTS}
    match request.text("do"):
        case "preview":
            if request.text("card_number"):
                found = await request.api.get("/v1/patrons", card=request.text("card_number"))
                patrons = found.json()["items"]
                if not patrons:
                    return await _form(request, kind, of, message="no-such-card", went_well=False)
                texts["patron_id"] = patrons[0]["id"]
            reply = await request.api.send("POST", f"{_path(kind, of)}/previews", texts)
            shown = reply.json_or(None)
            return await _form(request, kind, of, refused=reply, preview=shown)
        case "trial":
            texts["address"] = request.text("address")
            path = f"{_path(kind, of)}/trials"
            reply = await request.send("POST", path, texts)
            message = "trial-sent" if reply.done else None
            return await _form(request, kind, of, refused=reply, message=message)
        case _:
            texts["seen"] = forms.seen(request)
            reply = await request.send("PUT", _path(kind, of), texts)
            return await _saved(request, kind, of, reply)


@router.post("/desk/wording/restoration")
async def post_restoration(request: DeskRequest) -> Response:
    """Take back to an earlier version, or to the built-in wording."""
    kind, of = request.text("kind"), request.text("of")
    body = {"number": forms.seen(request, "version"), "seen": forms.seen(request)}
    path = f"{_path(kind, of)}/restorations"
    return await _saved(request, kind, of, await request.send("POST", path, body))


def _path(kind: str, of: str) -> str:
    return f"/v1/wordings/{segment(kind)}/{segment(of)}"


async def _saved(request: PageRequest, kind: str, of: str, reply: Reply) -> Response:
    if not reply.done:
        return await _form(request, kind, of, refused=reply)
    query = urlencode({"kind": kind, "of": of})
    return request.go(f"/desk/wording?{query}", "wording-saved")


async def _form(
    request: PageRequest,
    kind: str,
    of: str,
    *,
    refused: Reply | None = None,
    preview: dict[str, Any] | None = None,
    message: str | None = None,
    went_well: bool = True,
) -> Response:
    """Show the form, as it was typed if it was sent."""
    wording, listed = await asyncio.gather(
        request.api.get(_path(kind, of)),
        request.api.get("/v1/wordings", language=request.language.code),
    )
    outcome = forms.outcome(request, refused)
    if outcome["refused"] is None and request.form:
        outcome["form"] = Fields(request)
    return request.page(
        "messages/wording.html",
        wording=wording.json(),
        name=next(one["name"] for one in listed.json()["items"] if one["kind"] == kind),
        spoken=LANGUAGES[of].name,
        preview=preview,
        message=message,
        went_well=went_well,
        **outcome,
    )
