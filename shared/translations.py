"""Translations of texts: gettext catalogues, read from `.po` files when a process starts."""

import gettext
import io
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def marked(text: str) -> str:
    """Mark a text in code for `make translations`; it is translated when it is shown."""
    return text


def read_translations(folder: Path, code: str) -> gettext.NullTranslations:
    """Return the translations into a language, such as `zh-Hant`, from its `.po` file."""
    compiled = io.BytesIO()
    with (folder / f"{code}.po").open("rb") as file:
        write_mo(compiled, read_po(file, locale=code.replace("-", "_")))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
