"""The texts of notifications are complete in each language."""

from string import Formatter

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from services.notices.language import TRANSLATIONS


def marked() -> set[str]:
    """Return every text that a notification kind marks for translation."""
    found = extract_from_dir(TRANSLATIONS.parent, keywords={"marked": None})
    return {str(text) for _, _, text, _, _ in found}


def catalog(code: str) -> Catalog:
    with (TRANSLATIONS / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code.replace("-", "_"))


@pytest.mark.parametrize("code", ["zh-Hant", "zh-Hans"])
def test_every_text_is_translated_with_the_same_facts(code: str) -> None:
    messages = [message for message in catalog(code) if message.id]
    translated = {str(one.id) for one in messages if one.string and not one.fuzzy}
    assert marked() - translated == set(), "run make translations, then translate these"
    assert translated - marked() == set(), "run make translations: these are gone"
    broken = [one.id for one in messages if placeholders(one.id) != placeholders(one.string)]
    assert broken == [], "their placeholders differ from the English"


def placeholders(text: object) -> set[str]:
    return {str(name) for _, name, _, _ in Formatter().parse(str(text)) if name}


@pytest.mark.parametrize("code", ["zh-Hant", "zh-Hans"])
def test_the_chinese_texts_use_one_word_for_you(code: str) -> None:
    assert "你" not in (TRANSLATIONS / f"{code}.po").read_text()
