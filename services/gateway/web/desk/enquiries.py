"""Desk pages of Ask a Librarian: the queues, and one question to answer."""

import asyncio
from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import QUEUES
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/desk/enquiries")
async def get_queue(
    visit: DeskVisit, queue: str = "new", branch: str = "", after: str = ""
) -> Response:
    """List a queue of questions; with `branch`, those for its staff and those for anyone."""
    query = {"queue": queue, "branch": branch, "after": after}
    asked, counted, names = await asyncio.gather(
        visit.api.get("/v1/enquiries", **{name: text for name, text in query.items() if text}),
        visit.api.get("/v1/enquiries/figures"),
        branch_names(visit.api),
    )
    found = asked.json()
    return visit.page(
        "desk/enquiries.html",
        enquiries=found["items"],
        next=found["next"],
        figures=counted.json() if counted.done else None,
        queue=queue,
        queues=QUEUES,
        branch=branch,
        branches=names,
    )


@router.get("/desk/enquiries/{enquiry_id}")
async def get_enquiry(visit: DeskVisit, enquiry_id: str) -> Response:
    """Show a question with its messages and notes, and the forms to work on it."""
    return await _enquiry(visit, enquiry_id)


@router.post("/desk/enquiries/{enquiry_id}/answers")
async def post_answer(visit: DeskVisit, enquiry_id: str) -> Response:
    """Answer, or ask the patron something."""
    asks = visit.text("asks") == "yes"
    body = {"text": visit.text("text"), "asks": asks, "seen": forms.seen(visit)}
    reply = await _send(visit, enquiry_id, "answers", body)
    message = FlashMessage("enquiry-asked-back" if asks else "enquiry-answered", {})
    return await _outcome(visit, enquiry_id, reply, message)


@router.post("/desk/enquiries/{enquiry_id}/notes")
async def post_note(visit: DeskVisit, enquiry_id: str) -> Response:
    """Write a note that only staff see."""
    reply = await _send(visit, enquiry_id, "notes", {"text": visit.text("note")})
    return await _outcome(visit, enquiry_id, reply, FlashMessage("enquiry-noted", {}))


@router.post("/desk/enquiries/{enquiry_id}/assignment")
async def post_assignment(visit: DeskVisit, enquiry_id: str) -> Response:
    """Take the question, or pass it on to the staff of a library or to all."""
    if visit.text("to") == "me":
        body: dict[str, Any] = {"to": "me"}
        message = FlashMessage("enquiry-taken", {})
    else:
        body = {"to": "staff", "branch": visit.text("branch") or None}
        message = FlashMessage("enquiry-passed-on", {})
    reply = await _send(visit, enquiry_id, "assignment", {**body, "seen": forms.seen(visit)})
    return await _outcome(visit, enquiry_id, reply, message)


@router.post("/desk/enquiries/{enquiry_id}/closure")
async def post_closure(visit: DeskVisit, enquiry_id: str) -> Response:
    """Close the question."""
    reply = await _send(visit, enquiry_id, "closure", {"seen": forms.seen(visit)})
    return await _outcome(visit, enquiry_id, reply, FlashMessage("enquiry-closed", {}))


async def _send(visit: Visit, enquiry_id: str, command: str, body: dict[str, Any]) -> Reply:
    path = f"/v1/enquiries/{segment(enquiry_id)}/{command}"
    return await visit.api.send("POST", path, body, key=visit.key)


async def _outcome(visit: Visit, enquiry_id: str, reply: Reply, message: FlashMessage) -> Response:
    if reply.done:
        return visit.go(f"/desk/enquiries/{segment(enquiry_id)}", message)
    failure = reply.failure()
    if failure.status in (409, 422):
        return await _enquiry(visit, enquiry_id, reply)
    raise failure


async def _enquiry(visit: Visit, enquiry_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/enquiries/{segment(enquiry_id)}"), branch_names(visit.api)
    )
    enquiry = asked.json()
    return visit.page(
        "desk/enquiry.html",
        enquiry=enquiry,
        queues=QUEUES,
        asked_in=LANGUAGES[enquiry["language"]].name,
        branches=names,
        **forms.outcomes(visit, refused, "answers", "notes", "assignment", "closure"),
    )
