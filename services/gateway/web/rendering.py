"""Templates of the pages, rendered in each language with the texts of all pages."""

from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.gateway.web import files, ways_out, words
from services.gateway.web.languages import LANGUAGES, Language
from services.gateway.web.pages import Texts
from services.gateway.web.session import FlashMessage

COVERS = 6
"""Colours of drawn covers; see tokens.css."""
LONGEST_DESCRIPTION = 160
"""Characters of a page's description, of which search engines show no more."""


class Renderer:
    """Renders the templates in the subjects' folders."""

    def __init__(self, texts: Texts) -> None:
        self.texts = texts
        self._environments = {
            code: self._environment(language) for code, language in LANGUAGES.items()
        }

    def render(self, template: str, language: Language, **shown: Any) -> str:
        """Return a page as HTML."""
        environment = self._environments[language.code]
        return environment.get_template(template).render(language=language, **shown)

    def _environment(self, language: Language) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(Path(__file__).parent),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.install_gettext_translations(language.words, newstyle=True)  # type: ignore[attr-defined]
        environment.globals |= {"address": files.address, "texts": self.texts, "words": words}
        environment.filters |= {
            "brief": _brief,
            "day": language.day,
            "language_name": language.language_name,
            "money": language.money,
            "moment": language.moment,
            "say": language.say,
            "shade": _shade,
            "short_day": language.short_day,
            "message": partial(self._message, language),
            "ways_out": partial(ways_out.sentence, language),
            "written": language.written,
        }
        return environment

    def _message(self, language: Language, message: FlashMessage) -> str:
        """Return the text of a message, with facts in the language's formats."""
        text = self.texts.messages.get(message.code) or self.texts.problems[message.code]
        facts = {name: self._fact(language, name, fact) for name, fact in message.facts.items()}
        return (language.say(text) % facts).strip()

    def _fact(self, language: Language, name: str, fact: Any) -> str:
        if name.endswith("_on"):
            return language.day(fact)
        if name.endswith("_cents"):
            return language.money(fact)
        if name == "problem":
            return language.say(self.texts.problems.get(fact, words.ANY_PROBLEM))
        if name == "ways_out":
            return ways_out.sentence(language, fact, "renew")
        return str(fact)


def _shade(text: str) -> int:
    """Return the number of a cover's colour: always the same for a title."""
    return sum(map(ord, text)) % COVERS


def _brief(text: str) -> str:
    """Return the beginning of a text on one line, as search engines show it."""
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_DESCRIPTION else f"{line[: LONGEST_DESCRIPTION - 1]}…"
