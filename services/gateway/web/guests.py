"""Pages for guests who ask a librarian: the form, and the page behind the link in an e-mail."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import HEADERS, Anyone, Visit

router = APIRouter(include_in_schema=False)

API = "/v1/guest-enquiries"
NOT_INDEXED = {"X-Robots-Tag": "noindex"}


@router.get("/ask")
async def get_ask(visit: Anyone) -> Response:
    """Show the form to ask without an account."""
    return await _form(visit)


@router.post("/ask")
async def post_ask(visit: Anyone) -> Response:
    """Ask; an e-mail with a link confirms the address."""
    typed = {name: visit.text(name) for name in ("subject", "text", "address")}
    body = typed | {"language": visit.language.code}
    reply = await visit.api.send("POST", API, body, key=visit.key)
    if reply.done:
        return visit.go("/ask", FlashMessage("guest-asked", {}))
    failure = reply.failure()
    if failure.status in (409, 422):
        return await _form(visit, failure)
    raise failure


@router.get("/ask/{token}")
async def get_thread(visit: Anyone, token: str) -> Response:
    """Show the question of a link, or the button to confirm it.

    A button, because mail programs follow links by themselves.
    """
    return await _thread(visit, token)


@router.post("/ask/{token}/confirmation")
async def post_confirmation(visit: Anyone, token: str) -> Response:
    """Confirm the address."""
    return await _sent(visit, token, "confirmation", "guest-confirmed")


@router.post("/ask/{token}/replies")
async def post_reply(visit: Anyone, token: str) -> Response:
    """Reply to the library, or write something more."""
    return await _sent(visit, token, "replies", "enquiry-replied", text=visit.text("text"))


@router.post("/ask/{token}/closure")
async def post_closure(visit: Anyone, token: str) -> Response:
    """Close the question."""
    return await _sent(visit, token, "closure", "enquiry-closed")


@router.post("/ask/{token}/erasure")
async def post_erasure(visit: Anyone, token: str) -> Response:
    """Delete the question with everything about it."""
    reply = await visit.api.send("POST", f"{API}/erasure", {"token": token}, key=visit.key)
    if not reply.done:
        raise reply.failure()
    return visit.go("/ask", FlashMessage("guest-erased", {}))


@router.get("/ask/{token}/files/{file}")
async def get_file(visit: Anyone, token: str, file: str) -> Response:
    """Download a file of an answer."""
    reply = await visit.api.get(f"{API}/files", token=token, file=file)
    if not reply.done:
        raise reply.failure()
    names = ("content-type", "content-disposition")
    headers = HEADERS | {name: reply.headers[name] for name in names}
    return Response(reply.content, headers=headers)


async def _sent(visit: Visit, token: str, command: str, said: str, **more: Any) -> Response:
    body = {"token": token, **more}
    reply = await visit.api.send("POST", f"{API}/{command}", body, key=visit.key)
    if reply.done:
        return visit.go(f"/ask/{segment(token)}", FlashMessage(said, {}))
    failure = reply.failure()
    if failure.status in (409, 422):
        return await _thread(visit, token, failure)
    raise failure


async def _form(visit: Visit, refused: Failure | None = None) -> Response:
    channels = await visit.api.get("/v1/channels")
    return visit.page(
        "ask.html",
        status=refused.status if refused else 200,
        answered="email" in channels.json()["channels"],
        refused=refused,
        form=filled(visit, refused),
    )


async def _thread(visit: Visit, token: str, refused: Failure | None = None) -> Response:
    found = (await visit.api.get(API, token=token)).json()
    response = visit.page(
        "guest-enquiry.html",
        status=refused.status if refused else 200,
        token=token,
        found=found,
        enquiry=found["question"],
        refused=refused,
        form=filled(visit, refused),
    )
    response.headers.update(NOT_INDEXED)
    return response
