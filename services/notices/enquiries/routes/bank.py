"""Routes of the question bank: questions that staff have answered for everyone."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notices.enquiries.commands import bank as commands
from services.notices.enquiries.refusals import NoSuchQuestion, QuestionChanged
from services.notices.enquiries.routes.models import Seen
from services.notices.enquiries.rules.bank import BankQuestion, Wording, words_of
from services.notices.enquiries.store import bank as bank_store
from services.notices.fields import Id, Language, Line, Text
from services.notices.patrons.refusals import NoSuchPatron
from shared.auth import Patron, Staff
from shared.http.bodies import Body, from_attributes
from shared.http.dependencies import Db, Run
from shared.http.paging import PageQuery, page_of
from shared.refusals import or_refuse, refuses

router = APIRouter(prefix="/v1", tags=["question bank"])


class WordingBody(Body):
    """A question with its answer, in one language, without anything about a person."""

    question: Line
    answer: Text


Wordings = Annotated[
    dict[Language, WordingBody],
    Field(min_length=1, max_length=3, description="By language; at least one."),
]


class QuestionBody(Body):
    """A question for the bank."""

    wordings: Wordings


class RewordingBody(Body):
    """All wordings that a question has from now on; a withdrawn one is published again."""

    wordings: Wordings
    seen: Seen


class VoteBody(Body):
    """A reader's opinion of an answer."""

    helpful: bool


class WordingOut(BaseModel):
    """A question with its answer, in one language."""

    question: str
    answer: str


class QuestionOut(BaseModel):
    """A question of the bank."""

    id: str
    wordings: dict[str, WordingOut] = Field(description="By language; at least one.")
    published_at: dt.datetime
    changed_at: dt.datetime
    helpful: int = Field(description="Number of votes that the answer helped.")
    unhelpful: int
    withdrawn: bool
    version: int

    @classmethod
    def of(cls, question: BankQuestion) -> "QuestionOut":
        """Build the response from a question."""
        return from_attributes(
            cls,
            question,
            wordings={
                language: WordingOut(question=one.question, answer=one.answer)
                for language, one in question.wordings.items()
            },
        )


class QuestionPage(BaseModel):
    """A page of the question bank."""

    items: list[QuestionOut]
    next: str | None


@router.get("/questions")
async def get_questions(
    db: Db, page: PageQuery, q: Annotated[str, Query(max_length=200)] = ""
) -> QuestionPage:
    """Search the question bank: questions and answers that have every word of `q`.

    A word may be the beginning of one; Chinese words are found anywhere. The eight longest words
    count. The newest question comes first.
    """
    words = words_of(q)
    if q.strip() and not words:
        return QuestionPage(items=[], next=None)
    found = await bank_store.find_matching(db, words, page.after, page.limit + 1)
    listed = page_of(found, page, lambda question: str(question.id))
    return QuestionPage(
        items=[QuestionOut.of(question) for question in listed["items"]], next=listed["next"]
    )


@router.get("/questions/{question_id}")
@refuses(NoSuchQuestion)
async def get_question(question_id: Id, db: Db) -> QuestionOut:
    """Show a question of the bank, also a withdrawn one."""
    question = or_refuse(await bank_store.find_one(db, question_id), NoSuchQuestion)
    return QuestionOut.of(question)


@router.post("/questions", status_code=201)
async def post_question(body: QuestionBody, caller: Staff, run: Run) -> QuestionOut:
    """Publish a question with its answer for everyone, without anything about a person."""
    return QuestionOut.of(await run(commands.publish_question, _wordings(body.wordings)))


@router.put("/questions/{question_id}")
@refuses(NoSuchQuestion, QuestionChanged)
async def put_question(
    question_id: Id, body: RewordingBody, caller: Staff, run: Run
) -> QuestionOut:
    """Replace all wordings of a question."""
    return QuestionOut.of(
        await run(commands.reword_question, question_id, _wordings(body.wordings), body.seen)
    )


@router.delete("/questions/{question_id}")
@refuses(NoSuchQuestion)
async def delete_question(question_id: Id, caller: Staff, run: Run) -> QuestionOut:
    """Withdraw a question; searches no longer find it."""
    return QuestionOut.of(await run(commands.withdraw_question, question_id))


@router.post("/questions/{question_id}/votes")
@refuses(NoSuchQuestion, NoSuchPatron)
async def post_vote(question_id: Id, body: VoteBody, caller: Patron, run: Run) -> QuestionOut:
    """Say whether an answer helped. The last vote of each patron counts."""
    return QuestionOut.of(
        await run(commands.vote_on_question, question_id, caller.id, body.helpful)
    )


def _wordings(body: dict[Language, WordingBody]) -> dict[str, Wording]:
    return {language: Wording(one.question, one.answer) for language, one in body.items()}
