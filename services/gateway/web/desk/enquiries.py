"""Desk pages of Ask a Librarian: the queues, and one question to answer."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Response

from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.desk import forms
from services.gateway.web.desk_words import QUEUES
from services.gateway.web.fields import filled
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.uploads import send_with_files
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

_SOUGHT = ("queue", "branch", "q", "librarian", "patron_id")


@router.get("/desk/enquiries")
async def get_queue(
    visit: DeskVisit,
    *,
    queue: str = "new",
    branch: str = "",
    q: str = "",
    librarian: str = "",
    patron: str = "",
    after: str = "",
) -> Response:
    """List the questions of a queue that match; with `branch`, those for its staff or anyone."""
    sought = {
        "queue": queue,
        "branch": branch,
        "q": q.strip()[:200],
        "librarian": librarian.strip()[:200],
        "patron_id": patron[:100],
    }
    return await _queue(visit, {name: text for name, text in sought.items() if text}, after)


@router.post("/desk/enquiries")
async def post_card(visit: DeskVisit) -> Response:
    """Go to the questions of the reader with a card, whose number stays out of the address."""
    patron = await forms.card_holder(visit)
    if isinstance(patron, Failure):
        return await _queue(visit, {"queue": "new"}, "", patron)
    return visit.go(f"/desk/enquiries?{urlencode({'queue': 'all', 'patron': patron['id']})}")


async def _queue(
    visit: Visit, sought: dict[str, str], after: str, refused: Failure | None = None
) -> Response:
    query = sought | ({"after": after} if after else {})
    asked, counted, names = await asyncio.gather(
        visit.api.get("/v1/enquiries", **query),
        visit.api.get("/v1/enquiries/figures"),
        branch_names(visit.api),
    )
    found = asked.json()
    return visit.page(
        "desk/enquiries.html",
        status=refused.status if refused else 200,
        enquiries=found["items"],
        more=_address_of_more(sought, found["next"]),
        figures=counted.json() if counted.done else None,
        sought={name: sought.get(name, "") for name in _SOUGHT},
        queues=QUEUES,
        branches=names,
        refused=refused,
        form=filled(visit, refused),
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
    reply = await send_with_files(visit, f"/v1/enquiries/{segment(enquiry_id)}/answers", body)
    said = FlashMessage("enquiry-asked-back" if asks else "enquiry-answered", {})
    return await _outcome(visit, enquiry_id, reply, said)


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


@router.post("/desk/enquiries/{enquiry_id}/merger")
async def post_merger(visit: DeskVisit, enquiry_id: str) -> Response:
    """Merge the question into another of the same reader, and go to that one."""
    into = visit.text("into")
    seen = {name: forms.seen(visit, name) for name in ("seen", "seen_into")}
    reply = await _send(visit, enquiry_id, "merger", {"into": into, **seen})
    if reply.done:
        return visit.go(f"/desk/enquiries/{segment(into)}", FlashMessage("enquiry-merged", {}))
    return await _outcome(visit, enquiry_id, reply, FlashMessage("enquiry-merged", {}))


def _address_of_more(sought: dict[str, str], after: str | None) -> str:
    """Return the address of the next page, where `patron` stands for the API's `patron_id`."""
    if after is None:
        return ""
    query = {name.removesuffix("_id"): text for name, text in sought.items()}
    return f"/desk/enquiries?{urlencode({**query, 'after': after})}"


def _items(reply: Reply) -> list[dict[str, Any]]:
    """Return the items of a list that the page can do without."""
    return list(reply.json()["items"]) if reply.done else []


async def _send(visit: Visit, enquiry_id: str, command: str, body: dict[str, Any]) -> Reply:
    path = f"/v1/enquiries/{segment(enquiry_id)}/{command}"
    return await visit.api.send("POST", path, body, key=visit.key)


async def _outcome(visit: Visit, enquiry_id: str, reply: Reply, message: FlashMessage) -> Response:
    if reply.done:
        return visit.go(f"/desk/enquiries/{segment(enquiry_id)}", message)
    failure = reply.failure()
    if failure.status in (409, 413, 422):
        return await _enquiry(visit, enquiry_id, reply)
    raise failure


async def _enquiry(visit: Visit, enquiry_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        visit.api.get(f"/v1/enquiries/{segment(enquiry_id)}"), branch_names(visit.api)
    )
    enquiry = asked.json()
    theirs = {"queue": "open", "same_reader": enquiry_id, "limit": "50"}
    others = await visit.api.get("/v1/enquiries", **theirs)
    return visit.page(
        "desk/enquiry.html",
        enquiry=enquiry,
        others=[one for one in _items(others) if one["id"] != enquiry_id],
        queues=QUEUES,
        asked_in=LANGUAGES[enquiry["language"]].name,
        branches=names,
        **forms.outcomes(visit, refused, "answers", "notes", "assignment", "closure", "merger"),
    )
