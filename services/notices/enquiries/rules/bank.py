"""The question bank, and search terms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from shared.search_form import UNSPACED, search_form

MOST_WORDS = 8
"""Number of words of a search that count. Long words select best, so the longest count."""
MOST_LETTERS = 40
"""Number of letters of a term; longer ones are cut."""

_RUNS = re.compile(f"[{UNSPACED}]+|[^\\W{UNSPACED}]+")


def terms_of(*texts: str) -> tuple[str, ...]:
    """Return the distinct terms of texts, in their search form.

    A word is a term. Chinese is written without spaces, so each character with the one after it is
    a term. A search word matches the beginning of a term.
    """
    terms: dict[str, None] = {}
    for run in _runs(" ".join(texts)):
        starts = range(len(run)) if _is_unspaced(run) else (0,)
        size = 2 if _is_unspaced(run) else MOST_LETTERS
        terms.update(dict.fromkeys(run[start : start + size] for start in starts))
    return tuple(terms)


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a search that count; of Chinese, pairs of characters."""
    words: dict[str, None] = {}
    for run in _runs(text):
        if _is_unspaced(run) and len(run) > 1:
            words.update(dict.fromkeys(run[at : at + 2] for at in range(len(run) - 1)))
        else:
            words[run[:MOST_LETTERS]] = None
    return tuple(sorted(words, key=len, reverse=True)[:MOST_WORDS])


def _runs(text: str) -> list[str]:
    return _RUNS.findall(search_form(text))


def _is_unspaced(run: str) -> bool:
    return bool(re.match(f"[{UNSPACED}]", run))


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
    published_at: datetime
    changed_at: datetime
    terms: tuple[str, ...] = ()
    """The search terms of all wordings; read for changes only."""
    withdrawn: bool = False
    helpful: int = 0
    """Number of votes that the answer helped; a vote changes no version."""
    unhelpful: int = 0


@dataclass(frozen=True)
class Vote:
    """A patron's opinion of an answer; its id names the question and the patron."""

    id: str
    version: int
    question_id: str
    patron_id: str
    helpful: bool


def published(question_id: str, wordings: Mapping[str, Wording], at: datetime) -> BankQuestion:
    """Return a new question of the bank."""
    return BankQuestion(question_id, 1, wordings, at, at, _terms(wordings))


def reworded(question: BankQuestion, wordings: Mapping[str, Wording], at: datetime) -> BankQuestion:
    """Return the question with other wordings; a withdrawn one is published again."""
    return replace(
        question,
        version=question.version + 1,
        wordings=wordings,
        changed_at=at,
        terms=_terms(wordings),
        withdrawn=False,
    )


def withdrawn(question: BankQuestion, at: datetime) -> BankQuestion:
    """Return the question as no longer published; a withdrawn one is returned unchanged."""
    if question.withdrawn:
        return question
    return replace(question, version=question.version + 1, changed_at=at, withdrawn=True)


def cast(question: BankQuestion, patron_id: str, before: Vote | None, *, helpful: bool) -> Vote:
    """Return the patron's vote on a question, which replaces the one before."""
    version = 1 if before is None else before.version + 1
    return Vote(f"{question.id}:{patron_id}", version, question.id, patron_id, helpful)


def counted(question: BankQuestion, vote: Vote, before: Vote | None) -> BankQuestion:
    """Return the question with a vote counted, instead of the one before."""
    helpful, unhelpful = question.helpful, question.unhelpful
    for one, number in ((vote, 1), (before, -1)):
        if one is not None and one.helpful:
            helpful += number
        elif one is not None:
            unhelpful += number
    return replace(question, helpful=helpful, unhelpful=unhelpful)


def _terms(wordings: Mapping[str, Wording]) -> tuple[str, ...]:
    return terms_of(*(part for one in wordings.values() for part in (one.question, one.answer)))
