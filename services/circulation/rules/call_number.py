"""Call numbers, and the order in which they stand on the shelves."""

import re
import unicodedata
from dataclasses import dataclass

_DECIMAL = ("ddc", "udc", "ccl")
_OF_LETTERS = re.compile(r"([A-Z]{1,3})\s*(\d{1,6})(\.\d+)?")


@dataclass(frozen=True, slots=True)
class CallNumber:
    """A call number, as it stands on the label of a copy."""

    number: str
    scheme: str = "ddc"
    """Dewey Decimal (`ddc`), Library of Congress (`lcc`), National Library of Medicine (`nlm`) or
    Universal Decimal Classification (`udc`), those for Chinese libraries of Taiwan (`ccl`) and
    China (`clc`), or `other`."""


def shelf_order(call_number: CallNumber) -> str:
    """Return a text by which call numbers of one scheme sort as they stand on the shelves.

    Digits after the point of a class number are decimals in all schemes, and so are those of a
    Cutter number, which follow a letter at once: 823.914 before 823.92, and R29 before R3. Other
    numbers, such as those of volumes, count as whole numbers: v. 9 before v. 10.
    """
    text = " ".join(unicodedata.normalize("NFKC", call_number.number).upper().split())
    if call_number.scheme in _DECIMAL:
        before, whole, rest = _split(r"\d+", text)
        fraction, rest = _leading(r"\.\d+", rest)
        return f"{before}{whole.zfill(3)}{fraction}{_book_number(rest)}" if whole else before
    if call_number.scheme in ("lcc", "nlm") and (found := _OF_LETTERS.match(text)):
        letters, whole, fraction = found.groups("")
        return f"{letters} {whole.zfill(6)}{fraction}{_book_number(text[found.end() :])}"
    return _book_number(text)


def _split(pattern: str, text: str) -> tuple[str, str, str]:
    found = re.search(pattern, text)
    return (text[: found.start()], found[0], text[found.end() :]) if found else (text, "", "")


def _leading(pattern: str, text: str) -> tuple[str, str]:
    found = re.match(pattern, text)
    return (found[0], text[found.end() :]) if found else ("", text)


def _book_number(text: str) -> str:
    """Return what follows the class: words apart by one space, and whole numbers of six digits."""
    padded = re.sub(r"(?<![A-Z\d])\d+", lambda found: found[0].zfill(6), text)
    words = re.sub(r"[\s./]+", " ", padded)
    return f" {words.strip()}" if words.strip() else ""
