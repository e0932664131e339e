"""The wording of a kind of notification in one language, as staff have set it, with its versions.

A text may have placeholders such as `{title}`. They are names and nothing else: no attribute, index
or format can be asked for, so a text has no access to anything but the declared facts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from string import Formatter

from services.notices.messages.refusals import BadPlaceholder, NoSuchVersion, WordingChanged

KEPT_VERSIONS = 100
"""Number of versions kept of each wording, the latest ones."""


@dataclass(frozen=True)
class Texts:
    """The parts of a notification that replace the built-in ones; None: as built in."""

    subject: str | None = None
    """Subject of the e-mail."""
    opening: str | None = None
    """Paragraph before the text."""
    text: str | None = None
    closing: str | None = None
    """Paragraph after the text."""

    @property
    def parts(self) -> tuple[str, ...]:
        """The texts that are set."""
        return tuple(filter(None, (self.subject, self.opening, self.text, self.closing)))


BUILT_IN = Texts()


@dataclass(frozen=True)
class WordingVersion:
    """One version of a wording."""

    number: int
    texts: Texts
    changed_by: str
    """Name of the librarian."""
    changed_at: datetime


@dataclass(frozen=True)
class MessageWording:
    """The wording of a kind of notification in one language. Its last version is in force."""

    id: str
    version: int
    versions: tuple[WordingVersion, ...]

    @property
    def texts(self) -> Texts:
        """The texts in force."""
        return self.versions[-1].texts


def wording_id(kind: str, language: str) -> str:
    """Return the id of the wording of a kind in a language."""
    return f"{kind}:{language}"


def reworded(
    before: MessageWording | None,
    wording: str,
    texts: Texts,
    *,
    seen: int,
    librarian: str,
    at: datetime,
) -> MessageWording:
    """Return the wording with other texts as its next version; the same if nothing changes.

    `seen` is the version that the librarian has read, 0 if there was none. Raises WordingChanged.
    """
    version = 0 if before is None else before.version
    if version != seen:
        raise WordingChanged(version=version)
    if before is not None and before.texts == texts:
        return before
    new = WordingVersion(version + 1, texts, librarian, at)
    if before is None:
        return MessageWording(wording, 1, (new,))
    return replace(before, version=new.number, versions=(*before.versions, new)[-KEPT_VERSIONS:])


def texts_of(wording: MessageWording | None, number: int) -> Texts:
    """Return the texts of a version; 0 is the built-in wording. Raises NoSuchVersion."""
    if number == 0:
        return BUILT_IN
    versions = () if wording is None else wording.versions
    found = next((one.texts for one in versions if one.number == number), None)
    if found is None:
        raise NoSuchVersion
    return found


def check_placeholders(texts: Texts, declared: Iterable[str]) -> None:
    """Raise BadPlaceholder if a text has a placeholder that is not declared, or a lone brace."""
    known = sorted(declared)
    listed = ", ".join(f"{{{one}}}" for one in known)
    for text in texts.parts:
        try:
            parsed = list(Formatter().parse(text))
        except ValueError:
            lone = "A brace has no partner."
            raise BadPlaceholder(wrong=lone, listed=listed, known=known) from None
        for _, name, form, conversion in parsed:
            if name is not None and (name not in known or form or conversion):
                wrong = f"There is no {{{name[:40]}}} here."
                raise BadPlaceholder(wrong=wrong, listed=listed, known=known)


def placeholders_in(text: str) -> set[str]:
    """Return the placeholders of a checked text."""
    return {name for _, name, _, _ in Formatter().parse(text) if name}


def filled(text: str | None, values: Mapping[str, str]) -> list[str] | None:
    """Return the lines of a checked text with its placeholders filled in; None without a text.

    None also if a value is missing: then the built-in text fits better, which has other sentences
    for facts that do not apply.
    """
    if text is None:
        return None
    lines = []
    for line in filter(str.strip, text.splitlines()):
        parts = []
        for literal, name, _, _ in Formatter().parse(line):
            parts.append(literal)
            if name is not None:
                if not values.get(name):
                    return None
                parts.append(values[name])
        lines.append("".join(parts).strip())
    return lines
