"""Publish, reword or withdraw a question of the question bank, and count votes on it."""

from collections.abc import Mapping
from dataclasses import dataclass

from services.notices import store
from services.notices.domain import bank as rules
from services.notices.domain.bank import BankQuestion, Wording
from services.notices.domain.enquiry_refusals import NoSuchQuestion, QuestionChanged
from services.notices.domain.refusals import NoSuchPatron
from shared.ids import new_id
from shared.unit_of_work import Work


@dataclass(frozen=True)
class PublishQuestion:
    """The wordings of a new question, by language."""

    wordings: Mapping[str, Wording]


@dataclass(frozen=True)
class RewordQuestion:
    """All wordings that a question has from now on."""

    question_id: str
    wordings: Mapping[str, Wording]
    seen: int
    """Version of the question that the librarian has read."""


@dataclass(frozen=True)
class VoteOnQuestion:
    """A patron's opinion of an answer."""

    question_id: str
    patron_id: str
    helpful: bool


def publish_question(work: Work, command: PublishQuestion) -> BankQuestion:
    """Publish the question and return it."""
    question = rules.published(new_id(), command.wordings, work.now)
    store.bank.save(work, question)
    return question


def reword_question(work: Work, command: RewordQuestion) -> BankQuestion:
    """Change the wordings. Raises NoSuchQuestion or QuestionChanged."""
    question = _existing(work, command.question_id)
    if question.version != command.seen:
        raise QuestionChanged(question.version)
    question = rules.reworded(question, command.wordings, work.now)
    store.bank.save(work, question)
    return question


def withdraw_question(work: Work, question_id: str) -> BankQuestion:
    """Withdraw the question; repeating it changes nothing. Raises NoSuchQuestion."""
    question = _existing(work, question_id)
    gone = rules.withdrawn(question, work.now)
    if gone is not question:
        store.bank.save(work, gone)
    return gone


def vote_on_question(work: Work, command: VoteOnQuestion) -> BankQuestion:
    """Count the patron's vote instead of an earlier one, and return the question.

    Raises NoSuchQuestion if it is not published, or NoSuchPatron. Writes the patron's record, so
    that no erasure can commit meanwhile and leave the vote behind.
    """
    question = _existing(work, command.question_id)
    if question.withdrawn:
        raise NoSuchQuestion
    patron = store.patrons.get(work, command.patron_id)
    if patron is not None and patron.erased:
        raise NoSuchPatron
    before = store.bank.get_vote(work, question.id, command.patron_id)
    if before is not None and before.helpful == command.helpful:
        return question
    store.patrons.hold(work, patron, command.patron_id)
    vote = rules.cast(question, command.patron_id, before, helpful=command.helpful)
    question = rules.counted(question, vote, before)
    store.bank.save_vote(work, vote, question)
    return question


def _existing(work: Work, question_id: str) -> BankQuestion:
    question = store.bank.get(work, question_id)
    if question is None:
        raise NoSuchQuestion
    return question
