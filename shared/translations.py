"""The languages of the library's texts, and translations from `.po` files, read at start."""

import gettext
import io
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po


def marked(text: str) -> str:
    """Mark a text in code for `make translations`; it is translated when it is shown."""
    return text


def read_translations(folder: Path, code: str) -> gettext.NullTranslations:
    """Return the translations into a language, such as `zh-Hant`, from its `.po` files."""
    compiled = io.BytesIO()
    write_mo(compiled, read_catalog(folder, code))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def read_catalog(folder: Path, code: str) -> Catalog:
    """Return the texts of a language: of `zh-Hant.po`, and of parts such as `desk.zh-Hant.po`."""
    locale = code.replace("-", "_")
    with (folder / f"{code}.po").open("rb") as file:
        whole = read_po(file, locale=locale)
    for path in sorted(folder.glob(f"*.{code}.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=locale):
                if message.id:
                    whole[message.id] = message
    return whole


CODES = ("en", "zh-Hant", "zh-Hans")

# Tags that browsers send, the longer ones first. Chinese without a script is Simplified, except in
# Hong Kong, Macao and Taiwan.
_TAGS = {
    "en": "en",
    "zh-hant": "zh-Hant",
    "zh-hk": "zh-Hant",
    "zh-mo": "zh-Hant",
    "zh-tw": "zh-Hant",
    "yue": "zh-Hant",
    "zh": "zh-Hans",
}


def language_code(*asked: str, accepted: str) -> str:
    """Return the first language in `asked` that there is, or the best of an Accept-Language."""
    for code in asked:
        if code in CODES:
            return code
    for item in accepted.lower().split(","):
        tag = item.partition(";")[0].strip() + "-"
        for known, code in _TAGS.items():
            if tag.startswith(f"{known}-"):
                return code
    return "en"
