"""Pages of the question bank: search, and one question with its answer."""

from typing import Any

from fastapi import APIRouter, Response

from services.gateway.web.api import segment
from services.gateway.web.session import FlashMessage
from services.gateway.web.visit import Anyone, PatronVisit, Visit

router = APIRouter(include_in_schema=False)


@router.get("/questions")
async def get_questions(visit: Anyone, q: str = "", after: str = "") -> Response:
    """Show the search form, and the questions that were found or published last."""
    sought = q.strip()[:200]
    query = {name: text for name, text in {"q": sought, "after": after}.items() if text}
    found = (await visit.api.get("/v1/questions", **query)).json()
    return visit.page(
        "questions.html",
        q=sought,
        questions=[(question["id"], *wording(visit, question)) for question in found["items"]],
        next=found["next"],
    )


@router.get("/questions/{question_id}")
async def get_question(visit: Anyone, question_id: str) -> Response:
    """Show a question with its answer."""
    question = (await visit.api.get(f"/v1/questions/{segment(question_id)}")).json()
    language, text = wording(visit, question)
    return visit.page("question.html", question=question, language_of_text=language, text=text)


@router.post("/questions/{question_id}/votes")
async def post_vote(visit: PatronVisit, question_id: str) -> Response:
    """Say whether the answer helped."""
    path = f"/v1/questions/{segment(question_id)}/votes"
    body = {"helpful": visit.text("helpful") == "yes"}
    (await visit.api.send("POST", path, body, key=visit.key)).json()
    return visit.go(f"/questions/{segment(question_id)}", FlashMessage("voted", {}))


def wording(visit: Visit, question: dict[str, Any]) -> tuple[str, dict[str, str]]:
    """Return a question's wording in the visitor's language, or else another, with its language."""
    wordings: dict[str, dict[str, str]] = question["wordings"]
    own = visit.language.code
    language = own if own in wordings else next(iter(wordings))
    return language, wordings[language]
