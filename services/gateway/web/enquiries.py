"""Pages of Ask a Librarian: the patron's questions, and one with its messages."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/enquiries")
async def get_enquiries(visit: PatronVisit, after: str = "") -> Response:
    """List the patron's questions, with a form to ask another."""
    return await _enquiries(visit, after)


@router.post("/enquiries")
async def post_enquiry(visit: PatronVisit) -> Response:
    """Ask a question, and go to it."""
    body = {
        "subject": visit.text("subject"),
        "text": visit.text("text"),
        "language": visit.language.code,
        "branch": visit.text("branch") or None,
    }
    reply = await visit.api.send("POST", "/v1/enquiries", body, key=visit.key)
    if reply.done:
        return visit.go(f"/enquiries/{reply.json()['id']}", FlashMessage("enquiry-opened", {}))
    failure = reply.failure()
    if failure.status in (404, 409, 422):
        return await _enquiries(visit, "", failure)
    raise failure


@router.get("/enquiries/{enquiry_id}")
async def get_enquiry(visit: PatronVisit, enquiry_id: str) -> Response:
    """Show a question with its messages, and a form to reply."""
    return await _enquiry(visit, enquiry_id)


@router.post("/enquiries/{enquiry_id}/replies")
async def post_reply(visit: PatronVisit, enquiry_id: str) -> Response:
    """Reply to the library, or write something more."""
    path = f"/v1/enquiries/{segment(enquiry_id)}/replies"
    reply = await visit.api.send("POST", path, {"text": visit.text("text")}, key=visit.key)
    if reply.done:
        return visit.go(f"/enquiries/{segment(enquiry_id)}", FlashMessage("enquiry-replied", {}))
    failure = reply.failure()
    if failure.status in (409, 422):
        return await _enquiry(visit, enquiry_id, failure)
    raise failure


@router.post("/enquiries/{enquiry_id}/closure")
async def post_closure(visit: PatronVisit, enquiry_id: str) -> Response:
    """Close a question."""
    path = f"/v1/enquiries/{segment(enquiry_id)}/closure"
    reply = await visit.api.send("POST", path, {}, key=visit.key)
    if not reply.done:
        return visit.refused(f"/enquiries/{segment(enquiry_id)}", reply)
    return visit.go("/enquiries", FlashMessage("enquiry-closed", {}))


async def _enquiries(visit: Visit, after: str, refused: Failure | None = None) -> Response:
    query = {"after": after} if after else {}
    asked, names = await asyncio.gather(
        visit.api.get("/v1/me/enquiries", **query), branch_names(visit.api)
    )
    found = asked.json()
    return visit.page(
        "enquiries.html",
        status=refused.status if refused else 200,
        enquiries=found["items"],
        next=found["next"],
        branches=names,
        refused=refused,
        form=filled(visit, refused),
    )


async def _enquiry(visit: Visit, enquiry_id: str, refused: Failure | None = None) -> Response:
    enquiry = (await visit.api.get(f"/v1/enquiries/{segment(enquiry_id)}")).json()
    return visit.page(
        "enquiry.html",
        status=refused.status if refused else 200,
        enquiry=enquiry,
        refused=refused,
        form=filled(visit, refused),
    )
