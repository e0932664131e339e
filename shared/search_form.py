"""The form in which texts are searched."""

import functools
import unicodedata
from collections.abc import Mapping

from opencc import OpenCC

UNSPACED = "\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
"""Kana and Han characters, which are written without spaces; for use in a character class."""


def search_form(text: str) -> str:
    """Return the form in which a text is searched: without case, accents and variants.

    Simplified and Traditional Chinese have one form, and so have the variants of Hong Kong and
    Taiwan, by OpenCC's tables. They are applied to each character by itself: a conversion by
    phrases would give one character two forms, and a part of a title would not find the title.
    """
    plain = unicodedata.normalize("NFKD", text.casefold())
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return kept.translate(_simplified())


class _Simplified(dict[int, str]):
    """A translation table that asks OpenCC once for each character."""

    def __init__(self) -> None:
        super().__init__()
        # The second names Taiwan's variants, some of which are in use in Hong Kong too.
        self._conversions = (OpenCC("hk2s"), OpenCC("tw2s"))

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code >= 0x3400:
            for conversion in self._conversions:
                character = conversion.convert(character)
        self[code] = character
        return character


@functools.cache
def _simplified() -> Mapping[int, str]:
    return _Simplified()
