"""Desk pages of the question bank: publish a question, reword it, withdraw it."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import Reply, segment
from services.gateway.web.desk import forms
from services.gateway.web.languages import LANGUAGES
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import DeskVisit, Visit

router = APIRouter(include_in_schema=False)

Wordings = dict[str, dict[str, str]]


@router.get("/desk/questions/new")
async def get_new_question(visit: DeskVisit, enquiry: str = "") -> Response:
    """Show the form for a question; with `enquiry`, it begins with that question and answer."""
    wordings: Wordings = {}
    if enquiry:
        asked = (await visit.api.get(f"/v1/enquiries/{segment(enquiry)}")).json()
        by_staff = [one for one in asked["thread"] if one["by"] == "staff" and not one["private"]]
        answer = by_staff[-1]["text"] if by_staff else ""
        wordings = {asked["language"]: {"question": asked["subject"], "answer": answer}}
    return _form(visit, None, wordings)


@router.post("/desk/questions/new")
async def post_new_question(visit: DeskVisit) -> Response:
    """Publish the question, and go to it."""
    wordings = _typed(visit)
    reply = await visit.api.send("POST", "/v1/questions", {"wordings": wordings}, key=visit.key)
    if not reply.done:
        return _form(visit, None, wordings, reply)
    return visit.go(f"/questions/{reply.json()['id']}", FlashMessage("question-published", {}))


@router.get("/desk/questions/{question_id}")
async def get_question(visit: DeskVisit, question_id: str) -> Response:
    """Show a question with the forms to reword and to withdraw it."""
    question = (await visit.api.get(f"/v1/questions/{segment(question_id)}")).json()
    return _form(visit, question, question["wordings"])


@router.post("/desk/questions/{question_id}")
async def post_question(visit: DeskVisit, question_id: str) -> Response:
    """Reword the question."""
    path = f"/v1/questions/{segment(question_id)}"
    wordings = _typed(visit)
    body = {"wordings": wordings, "seen": forms.seen(visit)}
    reply = await visit.api.send("PUT", path, body, key=visit.key)
    if reply.done:
        return visit.go(
            f"/questions/{segment(question_id)}", FlashMessage("question-published", {})
        )
    question = (await visit.api.get(path)).json()
    return _form(visit, question, wordings, reply)


@router.post("/desk/questions/{question_id}/withdrawal")
async def post_withdrawal(visit: DeskVisit, question_id: str) -> Response:
    """Withdraw the question from the bank."""
    path = f"/v1/questions/{segment(question_id)}"
    (await visit.api.send("DELETE", path, key=visit.key)).json()
    return visit.go("/questions", FlashMessage("question-withdrawn", {}))


def _typed(visit: Visit) -> Wordings:
    """Return the wordings of the form; a language without any text is left out."""
    typed = {
        code: {name: visit.text(f"{name}-{code}") for name in ("question", "answer")}
        for code in LANGUAGES
    }
    return {code: texts for code, texts in typed.items() if any(texts.values())}


def _form(
    visit: Visit,
    question: dict[str, Any] | None,
    wordings: Wordings,
    refused: Reply | None = None,
) -> Response:
    return visit.page(
        "desk/question.html",
        question=question,
        wordings=wordings,
        languages=LANGUAGES,
        **forms.outcome(visit, refused),
    )
