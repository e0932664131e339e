"""The page behind the link in each e-mail that turns e-mail off, without log-in."""

from fastapi import APIRouter, Request, Response

from services.gateway.web.visit import Anyone, Visit, visit_after

router = APIRouter(include_in_schema=False)


@router.get("/unsubscribe/{token}")
async def get_unsubscribe(visit: Anyone, token: str) -> Response:
    """Ask before e-mail is turned off: mail programs follow links by themselves."""
    return visit.page("unsubscribe.html", token=token, done=False)


@router.post("/unsubscribe/{token}")
async def post_unsubscribe(request: Request, token: str) -> Response:
    """Turn off e-mail; a mail program sends the same with one click (RFC 8058).

    The token is enough, so a form of ours is not needed. The answer is no redirect, because a mail
    program would not follow it.
    """
    visit: Visit = await visit_after(request)
    reply = await visit.api.send("POST", "/v1/unsubscriptions", {"token": token})
    if not reply.done:
        raise reply.failure()
    return visit.page("unsubscribe.html", token=token, done=True)
