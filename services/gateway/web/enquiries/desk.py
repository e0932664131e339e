"""Desk pages of Ask a Librarian: the queues, one question to answer, and questions and answers."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import Response

from services.gateway.web import forms
from services.gateway.web.api import Failure, Reply, segment
from services.gateway.web.branches import branch_names
from services.gateway.web.enquiries.uploads import send_with_files
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.page_request import DeskRequest, PageRequest
from services.gateway.web.pages import Pages
from services.gateway.web.session import FlashMessage
from shared.translations import marked

router = Pages(
    menus={"staff": [("/desk/enquiries", marked("Questions"))]},
    messages={
        "question-published": marked("The question is published."),
        "question-withdrawn": marked("The question is withdrawn."),
        "enquiry-answered": marked("Your answer is sent."),
        "enquiry-asked-back": marked("Your question to the reader is sent."),
        "enquiry-noted": marked("Your note is saved."),
        "enquiry-taken": marked("You answer this question."),
        "enquiry-passed-on": marked("The question is passed on."),
        "enquiry-merged": marked("Both questions are answered here. The reader is told."),
    },
    problems={
        "enquiry-changed": marked(
            "Someone has changed this question since you opened it. Read what is new above, then "
            "send yours again."
        ),
        "not-mergeable": marked("Only two different questions of the same reader can be merged."),
        "question-changed": marked(
            "Someone has changed this question since you opened it. Compare it with yours, then "
            "save it again."
        ),
    },
)


QUEUES = {
    "new": marked("New"),
    "mine": marked("Mine"),
    "assigned": marked("A librarian is working on it"),
    "waiting": marked("Waiting for the reader"),
    "answered": marked("Answered"),
    "closed": marked("Question closed"),
    "open": marked("All that are not closed"),
    "suggested": marked("Suggested purchases"),
    "all": marked("All questions"),
}
"""Queues of readers' questions; `mine`, `open`, `suggested` and `all` are no states."""


_SOUGHT = ("queue", "branch", "q", "librarian", "patron_id")


@router.get("/desk/enquiries")
async def get_queue(
    request: DeskRequest,
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
    return await _queue(request, {name: text for name, text in sought.items() if text}, after)


@router.post("/desk/enquiries")
async def post_card(request: DeskRequest) -> Response:
    """Go to the questions of the reader with a card, whose number stays out of the address."""
    patron = await forms.card_holder(request)
    if isinstance(patron, Failure):
        return await _queue(request, {"queue": "new"}, "", patron)
    return request.go(f"/desk/enquiries?{urlencode({'queue': 'all', 'patron': patron['id']})}")


async def _queue(
    request: PageRequest, sought: dict[str, str], after: str, refused: Failure | None = None
) -> Response:
    query = sought | ({"after": after} if after else {})
    asked, counted, names = await asyncio.gather(
        request.api.get("/v1/enquiries", **query),
        request.api.get("/v1/enquiries/figures"),
        branch_names(request.api),
    )
    found = asked.json()
    return request.page(
        "enquiries/desk-enquiries.html",
        enquiries=found["items"],
        more=_address_of_more(sought, found["next"]),
        figures=counted.json_or(None),
        sought={name: sought.get(name, "") for name in _SOUGHT},
        queues=QUEUES,
        branches=names,
        **forms.outcome_of(request, refused),
    )


@router.get("/desk/enquiries/{enquiry_id}")
async def get_enquiry(request: DeskRequest, enquiry_id: str) -> Response:
    """Show a question with its messages and notes, and the forms to work on it."""
    return await _enquiry(request, enquiry_id)


@router.post("/desk/enquiries/{enquiry_id}/answers")
async def post_answer(request: DeskRequest, enquiry_id: str) -> Response:
    """Answer, or ask the patron something."""
    asks = request.text("asks") == "yes"
    body = {
        "text": request.text("text"),
        "asks": asks,
        "seen": forms.seen(request),
        "outcome": request.text("outcome") or None,
    }
    reply = await send_with_files(request, f"/v1/enquiries/{segment(enquiry_id)}/answers", body)
    message = FlashMessage("enquiry-asked-back" if asks else "enquiry-answered")
    return await _outcome(request, enquiry_id, reply, message)


@router.post("/desk/enquiries/{enquiry_id}/notes")
async def post_note(request: DeskRequest, enquiry_id: str) -> Response:
    """Write a note that only staff see."""
    reply = await _send(request, enquiry_id, "notes", {"text": request.text("note")})
    return await _outcome(request, enquiry_id, reply, FlashMessage("enquiry-noted"))


@router.post("/desk/enquiries/{enquiry_id}/assignment")
async def post_assignment(request: DeskRequest, enquiry_id: str) -> Response:
    """Take the question, or pass it on to the staff of a library or to all."""
    if request.text("to") == "me":
        body: dict[str, Any] = {"to": "me"}
        message = FlashMessage("enquiry-taken")
    else:
        body = {"to": "staff", "branch": request.text("branch") or None}
        message = FlashMessage("enquiry-passed-on")
    reply = await _send(request, enquiry_id, "assignment", {**body, "seen": forms.seen(request)})
    return await _outcome(request, enquiry_id, reply, message)


@router.post("/desk/enquiries/{enquiry_id}/closure")
async def post_closure(request: DeskRequest, enquiry_id: str) -> Response:
    """Close the question."""
    reply = await _send(request, enquiry_id, "closure", {"seen": forms.seen(request)})
    return await _outcome(request, enquiry_id, reply, FlashMessage("enquiry-closed"))


@router.post("/desk/enquiries/{enquiry_id}/merger")
async def post_merger(request: DeskRequest, enquiry_id: str) -> Response:
    """Merge the question into another of the same reader, and go to that one."""
    into = request.text("into")
    seen = {name: forms.seen(request, name) for name in ("seen", "seen_into")}
    reply = await _send(request, enquiry_id, "merger", {"into": into, **seen})
    if reply.done:
        return request.go(f"/desk/enquiries/{segment(into)}", "enquiry-merged")
    return await _outcome(request, enquiry_id, reply, FlashMessage("enquiry-merged"))


def _address_of_more(sought: dict[str, str], after: str | None) -> str:
    """Return the address of the next page, where `patron` stands for the API's `patron_id`."""
    if after is None:
        return ""
    query = {name.removesuffix("_id"): text for name, text in sought.items()}
    return f"/desk/enquiries?{urlencode({**query, 'after': after})}"


async def _send(request: PageRequest, enquiry_id: str, command: str, body: dict[str, Any]) -> Reply:
    path = f"/v1/enquiries/{segment(enquiry_id)}/{command}"
    return await request.send("POST", path, body)


async def _outcome(
    request: PageRequest, enquiry_id: str, reply: Reply, message: FlashMessage
) -> Response:
    if reply.done:
        return request.go(f"/desk/enquiries/{segment(enquiry_id)}", message)
    failure = reply.failure()
    if failure.status in (409, 413, 422):
        return await _enquiry(request, enquiry_id, reply)
    raise failure


async def _enquiry(request: PageRequest, enquiry_id: str, refused: Reply | None = None) -> Response:
    asked, names = await asyncio.gather(
        request.api.get(f"/v1/enquiries/{segment(enquiry_id)}"), branch_names(request.api)
    )
    enquiry = asked.json()
    theirs = {"queue": "open", "same_reader": enquiry_id, "limit": "50"}
    others = await request.api.get("/v1/enquiries", **theirs)
    return request.page(
        "enquiries/desk-enquiry.html",
        enquiry=enquiry,
        others=[one for one in others.items if one["id"] != enquiry_id],
        queues=QUEUES,
        asked_in=LANGUAGES[enquiry["language"]].name,
        branches=names,
        **forms.outcomes(request, refused, "answers", "notes", "assignment", "closure", "merger"),
    )


Wordings = dict[str, dict[str, str]]


@router.get("/desk/questions/new")
async def get_new_question(request: DeskRequest, enquiry: str = "") -> Response:
    """Show the form for a question; with `enquiry`, it begins with that question and answer."""
    wordings: Wordings = {}
    if enquiry:
        asked = (await request.api.get(f"/v1/enquiries/{segment(enquiry)}")).json()
        by_staff = [one for one in asked["thread"] if one["by"] == "staff" and not one["private"]]
        answer = by_staff[-1]["text"] if by_staff else ""
        wordings = {asked["language"]: {"question": asked["subject"], "answer": answer}}
    return _form(request, None, wordings)


@router.post("/desk/questions/new")
async def post_new_question(request: DeskRequest) -> Response:
    """Publish the question, and go to it."""
    wordings = _typed(request)
    reply = await request.send("POST", "/v1/questions", {"wordings": wordings})
    if not reply.done:
        return _form(request, None, wordings, reply)
    return request.go(f"/questions/{reply.json()['id']}", "question-published")


@router.get("/desk/questions/{question_id}")
async def get_question(request: DeskRequest, question_id: str) -> Response:
    """Show a question with the forms to reword and to withdraw it."""
    question = (await request.api.get(f"/v1/questions/{segment(question_id)}")).json()
    return _form(request, question, question["wordings"])


@router.post("/desk/questions/{question_id}")
async def post_question(request: DeskRequest, question_id: str) -> Response:
    """Reword the question."""
    path = f"/v1/questions/{segment(question_id)}"
    wordings = _typed(request)
    body = {"wordings": wordings, "seen": forms.seen(request)}
    reply = await request.send("PUT", path, body)
    if reply.done:
        return request.go(f"/questions/{segment(question_id)}", "question-published")
    question = (await request.api.get(path)).json()
    return _form(request, question, wordings, reply)


@router.post("/desk/questions/{question_id}/withdrawal")
async def post_withdrawal(request: DeskRequest, question_id: str) -> Response:
    """Withdraw the question from the bank."""
    path = f"/v1/questions/{segment(question_id)}"
    (await request.send("DELETE", path)).json()
    return request.go("/questions", "question-withdrawn")


def _typed(request: PageRequest) -> Wordings:
    """Return the wordings of the form; a language without any text is left out."""
    typed = {
        code: {name: request.text(f"{name}-{code}") for name in ("question", "answer")}
        for code in LANGUAGES
    }
    return {code: texts for code, texts in typed.items() if any(texts.values())}


def _form(
    request: PageRequest,
    question: dict[str, Any] | None,
    wordings: Wordings,
    refused: Reply | None = None,
) -> Response:
    return request.page(
        "enquiries/desk-question.html",
        question=question,
        wordings=wordings,
        languages=LANGUAGES,
        **forms.outcome(request, refused),
    )
