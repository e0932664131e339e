"""Publish, reword or withdraw a question of the question bank, and count votes on it."""

from collections.abc import Mapping

from services.notices.enquiries.refusals import NoSuchQuestion, QuestionChanged
from services.notices.enquiries.rules import bank as bank_rules
from services.notices.enquiries.rules.bank import BankQuestion, Wording
from services.notices.enquiries.store import bank as bank_store
from services.notices.patrons import store as patrons_store
from shared.ids import new_id
from shared.refusals import or_refuse
from shared.unit_of_work import Work


def publish_question(work: Work, wordings: Mapping[str, Wording]) -> BankQuestion:
    """Publish the question and return it."""
    question = bank_rules.published(new_id(), wordings, work.now)
    bank_store.save(work, question)
    return question


def reword_question(
    work: Work, question_id: str, wordings: Mapping[str, Wording], seen: int
) -> BankQuestion:
    """Change the wordings. Raises NoSuchQuestion or QuestionChanged."""
    question = _existing(work, question_id)
    if question.version != seen:
        raise QuestionChanged(version=question.version)
    question = bank_rules.reworded(question, wordings, work.now)
    bank_store.save(work, question)
    return question


def withdraw_question(work: Work, question_id: str) -> BankQuestion:
    """Withdraw the question; repeating it changes nothing. Raises NoSuchQuestion."""
    question = _existing(work, question_id)
    gone = bank_rules.withdrawn(question, work.now)
    if gone is not question:
        bank_store.save(work, gone)
    return gone


def vote_on_question(work: Work, question_id: str, patron_id: str, helpful: bool) -> BankQuestion:
    """Count the patron's vote instead of an earlier one, and return the question.

    Raises NoSuchQuestion if it is not published, or NoSuchPatron. Writes the patron's record, so
    that no erasure can commit meanwhile and leave the vote behind.
    """
    question = _existing(work, question_id)
    if question.withdrawn:
        raise NoSuchQuestion
    patron = patrons_store.get_unless_erased(work, patron_id)
    before = bank_store.get_vote(work, question.id, patron_id)
    if before is not None and before.helpful == helpful:
        return question
    patrons_store.hold(work, patron, patron_id)
    vote = bank_rules.cast(question, patron_id, before, helpful=helpful)
    question = bank_rules.counted(question, vote, before)
    bank_store.save_vote(work, vote, question)
    return question


def _existing(work: Work, question_id: str) -> BankQuestion:
    return or_refuse(bank_store.get(work, question_id), NoSuchQuestion)
