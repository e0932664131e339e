"""The devices in My Setting that show a patron's messages."""

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit

router = APIRouter(include_in_schema=False)

PATH = "/v1/me/push-subscriptions"

_BROWSERS = (("Edg", "Edge"), ("Firefox/", "Firefox"), ("Chrome/", "Chrome"), ("Safari/", "Safari"))
_SYSTEMS = (
    *(("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Windows", "Windows")),
    *(("Mac OS", "Mac"), ("CrOS", "Chromebook"), ("Linux", "Linux")),
)


@router.post("/setting/devices")
async def post_device(visit: PatronVisit) -> Response:
    """Show the patron's messages on this device, which a script has subscribed."""
    named = {name: visit.text(name) for name in ("endpoint", "p256dh", "auth")}
    name = device_name(visit.request.headers.get("user-agent", ""))
    reply = await visit.api.send("POST", PATH, named | {"name": name}, key=visit.key)
    if not reply.done:
        return visit.refused("/setting", reply)
    return visit.go("/setting", FlashMessage("device-added", {}))


@router.post("/setting/devices/{subscription_id}/removal")
async def post_removal(visit: PatronVisit, subscription_id: str) -> Response:
    """Stop showing the patron's messages on a device."""
    reply = await visit.api.send("DELETE", f"{PATH}/{segment(subscription_id)}", key=visit.key)
    if not reply.done and reply.status != 404:
        raise reply.failure()
    return visit.go("/setting", FlashMessage("device-removed", {}))


def device_name(user_agent: str) -> str:
    """Return a name by which a patron recognizes a device, such as "Firefox, Android"."""
    found = [
        next((name for mark, name in marks if mark in user_agent), "")
        for marks in (_BROWSERS, _SYSTEMS)
    ]
    return ", ".join(name for name in found if name) or user_agent[:100] or "?"
