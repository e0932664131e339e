"""Translations are read from the catalogue of a language."""

from pathlib import Path

import pytest

from shared.translations import read_translations


def test_a_language_without_a_catalogue_stops_the_process_from_starting(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_translations(tmp_path, "zh-Hant")


def test_a_text_without_a_translation_stays_english(tmp_path: Path) -> None:
    (tmp_path / "zh-Hant.po").write_text('msgid "Closed"\nmsgstr "休館"\n')
    translations = read_translations(tmp_path, "zh-Hant")
    assert translations.gettext("Closed") == "休館"
    assert translations.gettext("Open") == "Open"
