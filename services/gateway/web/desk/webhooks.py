"""Desk page of webhooks: client apps that get a message about each notification."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import ABOUT, WEBHOOK_FAILURES, WEBHOOK_STATES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

PATH = "/v1/webhooks"


@router.get("/desk/webhooks")
async def get_webhooks(visit: DeskVisit) -> Response:
    """List the webhooks, with a form for another."""
    return await _page(visit)


@router.post("/desk/webhooks")
async def post_webhook(visit: DeskVisit) -> Response:
    """Register a webhook and show its secret, this once: it may not be kept in a cookie."""
    body = {"url": visit.text("url"), "topics": visit.texts("topics")}
    reply = await visit.api.send("POST", PATH, body, key=visit.key)
    return await _page(visit, reply)


@router.post("/desk/webhooks/{webhook_id}/secret")
async def post_secret(visit: DeskVisit, webhook_id: str) -> Response:
    """Replace the secret of a webhook and show the new one, this once."""
    reply = await visit.api.send("POST", f"{PATH}/{segment(webhook_id)}/secret", key=visit.key)
    return await _page(visit, reply)


@router.post("/desk/webhooks/{webhook_id}/test")
async def post_test(visit: DeskVisit, webhook_id: str) -> Response:
    """Send a message to see whether it arrives."""
    reply = await visit.api.send("POST", f"{PATH}/{segment(webhook_id)}/tests", key=visit.key)
    return _done(visit, reply, "webhook-tested")


@router.post("/desk/webhooks/{webhook_id}/state")
async def post_state(visit: DeskVisit, webhook_id: str) -> Response:
    """Turn a webhook on or off."""
    enabled = visit.text("enabled") == "yes"
    path = f"{PATH}/{segment(webhook_id)}"
    reply = await visit.api.send("PATCH", path, {"enabled": enabled}, key=visit.key)
    return _done(visit, reply, "webhook-on" if enabled else "webhook-off")


@router.post("/desk/webhooks/{webhook_id}/deletion")
async def post_deletion(visit: DeskVisit, webhook_id: str) -> Response:
    """Delete a webhook."""
    reply = await visit.api.send("DELETE", f"{PATH}/{segment(webhook_id)}", key=visit.key)
    return _done(visit, reply, "webhook-deleted")


def _done(visit: Visit, reply: Reply, said: str) -> Response:
    if reply.done:
        return visit.go("/desk/webhooks", FlashMessage(said, {}))
    return visit.refused("/desk/webhooks", reply)


async def _page(visit: Visit, reply: Reply | None = None) -> Response:
    """Show the webhooks after a command; a successful one has brought a secret."""
    listed: dict[str, Any] = (await visit.api.get(PATH)).json()
    return visit.page(
        "desk/webhooks.html",
        webhooks=listed["items"],
        topics=listed["topics"],
        fresh=reply.json() if reply is not None and reply.done else None,
        about=ABOUT,
        states=WEBHOOK_STATES,
        failures=WEBHOOK_FAILURES,
        **forms.outcome(visit, reply),
    )
