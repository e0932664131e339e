"""The question bank: questions that staff have answered for everyone, in up to three languages."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

MOST_WORDS = 8
"""Number of words of a search that count."""
MOST_LETTERS = 40
"""Number of letters of a search word that count."""


@dataclass(frozen=True)
class Wording:
    """A question with its answer, in one language."""

    question: str
    answer: str


@dataclass(frozen=True)
class BankQuestion:
    """A question of the bank. It names no patron and no enquiry."""

    id: str
    version: int
    wordings: Mapping[str, Wording]
    """The wordings by language, at least one."""
    search: str
    """All words in small letters, in which a search looks."""
    published_at: datetime
    changed_at: datetime
    withdrawn: bool = False
    helpful: int = 0
    """Number of votes that the answer helped; a vote changes no version."""
    unhelpful: int = 0


def published(question_id: str, wordings: Mapping[str, Wording], at: datetime) -> BankQuestion:
    """Return a new question of the bank."""
    return BankQuestion(question_id, 1, wordings, _search_text(wordings), at, at)


def reworded(question: BankQuestion, wordings: Mapping[str, Wording], at: datetime) -> BankQuestion:
    """Return the question with other wordings; a withdrawn one is published again."""
    return replace(
        question,
        version=question.version + 1,
        wordings=wordings,
        search=_search_text(wordings),
        changed_at=at,
        withdrawn=False,
    )


def withdrawn(question: BankQuestion, at: datetime) -> BankQuestion:
    """Return the question as no longer published; a withdrawn one is returned unchanged."""
    if question.withdrawn:
        return question
    return replace(question, version=question.version + 1, changed_at=at, withdrawn=True)


def voted(question: BankQuestion, *, helpful: bool) -> BankQuestion:
    """Return the question with one more vote."""
    if helpful:
        return replace(question, helpful=question.helpful + 1)
    return replace(question, unhelpful=question.unhelpful + 1)


def search_words(text: str) -> list[str]:
    """Return the words of a search that count."""
    return [word[:MOST_LETTERS] for word in text.casefold().split()[:MOST_WORDS]]


def _search_text(wordings: Mapping[str, Wording]) -> str:
    parts = (part for one in wordings.values() for part in (one.question, one.answer))
    return "\n".join(parts).casefold()
