"""Pages of Ask a Librarian: the patron's questions, one with its messages, and its files."""

import asyncio

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.fields import filled
from services.gateway.web.session import FlashMessage
from services.gateway.web.uploads import send_with_files
from services.gateway.web.visit import HEADERS, Anyone, PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/enquiries")
async def get_enquiries(
    visit: PatronVisit, after: str = "", title: str = "", branch: str = ""
) -> Response:
    """List the patron's questions, with a form to ask another, about a title or a library."""
    return await _enquiries(visit, after, title, branch)


@router.post("/enquiries")
async def post_enquiry(visit: PatronVisit) -> Response:
    """Ask a question, and go to it."""
    body = {
        "subject": visit.text("subject"),
        "text": visit.text("text"),
        "language": visit.language.code,
        "branch": visit.text("branch") or None,
        "title_id": visit.text("title") or None,
    }
    reply = await send_with_files(visit, "/v1/enquiries", body)
    if reply.done:
        return visit.go(f"/enquiries/{reply.json()['id']}", FlashMessage("enquiry-opened", {}))
    failure = reply.failure()
    if failure.status in (404, 409, 413, 422):
        return await _enquiries(visit, "", visit.text("title"), refused=failure)
    raise failure


@router.get("/enquiries/{enquiry_id}")
async def get_enquiry(visit: PatronVisit, enquiry_id: str) -> Response:
    """Show a question with its messages, and a form to reply."""
    return await _enquiry(visit, enquiry_id)


@router.post("/enquiries/{enquiry_id}/replies")
async def post_reply(visit: PatronVisit, enquiry_id: str) -> Response:
    """Reply to the library, or write something more."""
    path = f"/v1/enquiries/{segment(enquiry_id)}/replies"
    reply = await send_with_files(visit, path, {"text": visit.text("text")})
    if reply.done:
        return visit.go(f"/enquiries/{segment(enquiry_id)}", FlashMessage("enquiry-replied", {}))
    failure = reply.failure()
    if failure.status in (404, 409, 413, 422):
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


@router.get("/attachments/{attachment_id}")
async def get_attachment(visit: Anyone, attachment_id: str) -> Response:
    """Download a file of a question."""
    reply = await visit.api.get(f"/v1/attachments/{segment(attachment_id)}")
    if not reply.done:
        raise reply.failure()
    names = ("content-type", "content-disposition")
    headers = HEADERS | {name: reply.headers[name] for name in names}
    return Response(reply.content, headers=headers)


async def _enquiries(
    visit: Visit, after: str, title: str, branch: str = "", refused: Failure | None = None
) -> Response:
    query = {"after": after} if after else {}
    asked, names, named = await asyncio.gather(
        visit.api.get("/v1/me/enquiries", **query),
        branch_names(visit.api),
        _title_name(visit, title),
    )
    found = asked.json()
    return visit.page(
        "enquiries.html",
        status=refused.status if refused else 200,
        enquiries=found["items"],
        next=found["next"],
        branches=names,
        branch=branch,
        title=title if named else "",
        title_name=named,
        refused=refused,
        form=filled(visit, refused),
    )


async def _enquiry(visit: Visit, enquiry_id: str, refused: Failure | None = None) -> Response:
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/enquiries/{segment(enquiry_id)}"), branch_names(visit.api)
    )
    return visit.page(
        "enquiry.html",
        status=refused.status if refused else 200,
        enquiry=asked.json(),
        branches=names,
        refused=refused,
        form=filled(visit, refused),
    )


async def _title_name(visit: Visit, title_id: str) -> str:
    """Return the name of a title to ask about; "" if there is none."""
    if not title_id:
        return ""
    reply = await visit.api.get(f"/v1/titles/{segment(title_id)}")
    return str(reply.json()["title"]) if reply.done else ""
