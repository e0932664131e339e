"""Notifications as text: in the wording of staff where there is one, else as built in."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notices.domain.notification import Facts
from services.notices.domain.wording import BUILT_IN, Texts, filled, placeholders_in
from services.notices.kinds import frame
from services.notices.kinds.kind import Kind, Known, kind_of
from services.notices.kinds.language import Language


@dataclass(frozen=True)
class Message:
    """A notification as text."""

    subject: str
    """Subject of its e-mail; one line."""
    paragraphs: Sequence[str]


def message_of(
    topic: str,
    facts: Sequence[Facts],
    known: Known,
    language: Language,
    *,
    title: str | None,
    texts: Texts = BUILT_IN,
) -> Message:
    """Return a notification as text: one text for each of its sets of facts, in order.

    A part of `texts` with a placeholder that has no value is left out, or the built-in one is used.
    Facts about which `texts` would mislead have none of its parts. The subject and the paragraphs
    around the text are about the first facts.
    """
    kind = kind_of(topic)
    found = [kind.from_stored(one) for one in facts]
    bodies = [
        filled(_fitting(texts, one).text, one.values(known, language))
        or [one.text(known, language)]
        for one in found
    ]
    values = found[0].values(known, language)
    texts = _fitting(texts, found[0])
    body = [line for lines in bodies for line in lines]
    if all(len(lines) == 1 for lines in bodies):
        body = [language.space.join(body)]
    subject = " ".join(filled(texts.subject, values) or [_subject(title, language)])
    return Message(
        # A title may have any characters; a header must be one line.
        subject=" ".join(subject.split())[:200],
        paragraphs=[
            *(filled(texts.opening, values) or ()),
            *body,
            *(filled(texts.closing, values) or ()),
        ],
    )


def _fitting(texts: Texts, facts: Kind) -> Texts:
    """Return the texts, or the built-in ones if the texts do not say what is the case."""
    applies = {name.removesuffix("_cents") for name in facts.stored} & facts.must_name
    named = applies if texts.text is None else placeholders_in(texts.text)
    return texts if facts.is_usual and applies <= named else BUILT_IN


def _subject(title: str | None, language: Language) -> str:
    if title is None:
        return language.say(frame.SUBJECT_WITHOUT_TITLE)
    return language.say(frame.SUBJECT).format(title=title)
