"""Texts in MARC-8, the encoding of MARC 21 before Unicode, by the tables that pymarc decodes with.

The sources are the MARC 21 Specifications for Record Structure, Character Sets and Exchange Media
(Library of Congress). A character without a code is written as `&#x…;`, the specification's
technique for a conversion without loss.
"""

import contextlib
import io
import re
import unicodedata
from functools import cache

from pymarc import marc8_mapping
from pymarc.marc8 import marc8_to_unicode

_LATIN, _ANSEL, _EAST_ASIAN = 0x42, 0x45, 0x31
_ESCAPES = {
    _LATIN: b"\x1b(B",
    _EAST_ASIAN: b"\x1b$1",
    0x32: b"\x1b(2",  # Hebrew
    0x33: b"\x1b(3",  # Arabic
    0x4E: b"\x1b(N",  # Cyrillic
    0x53: b"\x1b(S",  # Greek
    0x62: b"\x1bb",  # subscripts
    0x70: b"\x1bp",  # superscripts
}
"""The escape that selects each set for codes below 0x80. ANSEL is always that of higher codes."""
_BACK = {0x62: b"\x1bs", 0x70: b"\x1bs"}
_NUMBERED = re.compile(r"&#x([0-9A-Fa-f]{2,6});")


def decode(encoded: bytes) -> str:
    """Return a text. Raises ValueError if it has codes without a character."""
    if b"\x1b" not in encoded:  # pymarc drops these, which mark what a sort leaves out
        encoded = re.sub(rb"[\x88\x89\x8d\x8e]", _as_number, encoded)
    complaints = io.StringIO()
    with contextlib.redirect_stderr(complaints):  # where pymarc reports them
        text = marc8_to_unicode(encoded)
    if complaints.getvalue():
        raise ValueError(complaints.getvalue().strip().splitlines()[0])
    return _NUMBERED.sub(lambda found: chr(min(int(found[1], 16), 0x10FFFF)), text)


def _as_number(found: re.Match[bytes]) -> bytes:
    return b"&#x%04X;" % marc8_mapping.CODESETS[_ANSEL][found[0][0]][0]


def encode(text: str) -> bytes:
    """Return a text in MARC-8; it begins and ends in the set of Latin letters."""
    written, present = b"", _LATIN
    for base, marks in _characters(unicodedata.normalize("NFC", text)):
        for code_set, code in (*marks, base):
            wanted = _LATIN if code_set == _ANSEL else code_set
            if wanted != present:
                written += _BACK.get(present, b"")
                if wanted != _LATIN or present not in _BACK:
                    written += _ESCAPES[wanted]
                present = wanted
            written += code
    if present != _LATIN:
        written += _BACK.get(present, _ESCAPES[_LATIN])
    return written


_Code = tuple[int, bytes]


def _characters(text: str) -> list[tuple[_Code, list[_Code]]]:
    """Return each base character with its diacritics, which come before it in MARC-8."""
    table, found = _codes(), list[tuple[_Code, list[_Code]]]()
    for cluster in re.findall(r".[\u0300-\u036f\ufe20-\ufe2f]*", text, re.DOTALL):
        parts = cluster if cluster in table else unicodedata.normalize("NFD", cluster)
        base, *marks = (table.get(one) for one in parts)
        if base and all(marks):
            found.append((base, [mark for mark in marks if mark]))
        else:
            numbers = "".join(
                f"&#x{ord(one):04X};" for one in unicodedata.normalize("NFC", cluster)
            )
            found += [((_LATIN, number.encode()), []) for number in numbers]
    return found


@cache
def _codes() -> dict[str, _Code]:
    """Return the set and the code of each character, Latin letters first."""
    table: dict[str, _Code] = {}
    for code_set in (_LATIN, _ANSEL, *sorted(_ESCAPES.keys() - {_LATIN})):
        for code, (character, _) in sorted(marc8_mapping.CODESETS[code_set].items()):
            if code > 0x20 and not 0x80 < code < 0xA0:
                size = 3 if code_set == _EAST_ASIAN else 1
                table.setdefault(chr(character), (code_set, code.to_bytes(size, "big")))
    table[" "] = (_LATIN, b" ")
    return table
