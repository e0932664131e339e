"""Codes for scanners and cameras as pictures: Code 128 and QR."""

import segno
from markupsafe import Markup

_WIDTHS = (
    "212222222122222221121223121322131222122213122312132212221213221312231212112232122132122231"
    "113222123122123221223211221132221231213212223112312131311222321122321221312212322112322211"
    "212123212321232121111323131123131321112313132113132311211313231113231311112133112331132131"
    "113123113321133121313121211331231131213113213311213131311123311321331121312113312311332111"
    "314111221411431111111224111422121124121421141122141221112214112412122114122411142112142211"
    "241211221114413111241112134111111242121142121241114212124112124211411212421112421211212141"
    "214121412121111143111341131141114113114311411113411311113141114131311141411131211412211214"
    "2112322331112"
)
"""Widths of the three bars and three spaces of each symbol of Code 128, in the order of the values
(ISO/IEC 15417). The last one, which ends a code, has a fourth bar."""
_START_B, _STOP = 104, 106
_QUIET = 10
"""Blank modules before and after the bars."""
_HEIGHT = 40
_MODULE_MM = 0.3
"""Width of the narrowest bar, in millimetres; a label that is too narrow makes it smaller."""


def code_128(text: str) -> list[int]:
    """Return the widths of the bars and spaces, in turn, of an ASCII text in Code 128 B.

    The check symbol is the sum of the values, each times its place, modulo 103. Raises ValueError.
    """
    values = [ord(letter) - 32 for letter in text]
    if not all(0 <= value < 95 for value in values):
        raise ValueError("Code 128 B has the printable characters of ASCII alone")
    check = (_START_B + sum(place * value for place, value in enumerate(values, 1))) % 103
    symbols = (_START_B, *values, check, _STOP)
    return [int(width) for value in symbols for width in _widths(value)]


def _widths(value: int) -> str:
    return _WIDTHS[6 * value : 6 * value + (7 if value == _STOP else 6)]


def bars(text: str) -> Markup:
    """Return a text in Code 128 B as a picture."""
    at, path = _QUIET, []
    for place, width in enumerate(code_128(text)):
        if place % 2 == 0:
            path.append(f"M{at} 0h{width}v{_HEIGHT}h-{width}z")
        at += width
    at += _QUIET
    return Markup(
        '<svg viewBox="0 0 {} {}" width="{:.1f}mm" height="11mm" preserveAspectRatio="none" '
        'role="img" aria-label="{}"><path d="{}"/></svg>'
    ).format(at, _HEIGHT, at * _MODULE_MM, text, "".join(path))


def spaced(code: str) -> str:
    """Return a code in groups of four characters, for people to read."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


def qr(text: str, *, scale: int | None = None) -> Markup:
    """Return a text as a QR code. Without a scale it is as large as the page lets it be."""
    code = segno.make(text, micro=False)
    made = code.svg_inline(scale=scale) if scale else code.svg_inline(omitsize=True)
    return Markup(made)  # noqa: S704 - ours
