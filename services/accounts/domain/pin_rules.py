"""Rules for a new PIN: long enough, and not among the first that somebody would try."""

import re
from collections.abc import Iterator
from datetime import date
from itertools import pairwise

from services.accounts.domain.refusals import (
    CardInPin,
    CommonPin,
    DateAsPin,
    Refusal,
    SequentialPin,
)

PIN_LENGTHS = range(6, 65)
EASY_BELOW = 6000
"""Number of guesses by which an attacker who knows people's habits may not have found a PIN. Dates
begin above it; they have a rule of their own."""
LOCAL_WORDS = (
    *("library", "libraries", "mylibrary", "hk", "hkpl", "hkcl", "hongkong", "kowloon"),
    *("carrel", "reader", "borrow", "librarycard", "ilovehk"),
)
"""Words that many would choose here, beside those that are common everywhere."""
_DIGITS = "0123456789"
_MOST_DIGITS_BESIDE_A_WORD = 4
_SHORTEST_WORD = 3
_LONGEST_BLOCK = 4
_POPULAR_PARTS = re.compile(
    "(?:"
    # Numbers that sound like a wish in Chinese, such as "I love you" and "be rich".
    "520|521|1314|13145|201|168|128|138|158|188|288|328|518|668|688|886|888|666|999|520131|7758"
    # Lines and columns of a keypad.
    "|147|258|369|741|852|963|123|456|789|321|654|987|159|357|753|951"
    ")+"
)
"""A PIN made of such numbers only, such as 5201314, 888168 or 159753."""
_SHORTEST_CARD = 4
"""Characters of the shortest card number that a PIN may not have in it."""
_READ_AS = str.maketrans("@({[<!|$+%", "acccci1stx")
"""Letters, and a digit, that signs stand for in words such as `p@$$word`."""
_ORDERS = ("dmy", "mdy", "ymd", "ym", "my")
_WIDTHS = {"d": (1, 2), "m": (1, 2), "y": (2, 4)}
_YEARS = range(1900, 2030)


def acceptable_pin(pin: str) -> bool:
    """Return True if a PIN has 6 to 64 printable characters."""
    return len(pin) in PIN_LENGTHS and pin.isprintable()


def with_signs_read(pin: str) -> str:
    """Return a PIN with the letter that each sign may stand for, to estimate guesses from.

    zxcvbn tries all that signs and digits may stand for together: with many different signs it
    takes many seconds, with digits alone a fraction of one.
    """
    return pin.translate(_READ_AS)


def word_of(pin: str) -> str:
    """Return the word in a PIN such as `library1` or `2026hkpl`; empty if it is none.

    Up to four digits before and after it together are left out, and more if they are easy, such as
    a date.
    """
    plain = _plain(pin)
    word = plain.strip(_DIGITS)
    if len(word) < _SHORTEST_WORD and word not in LOCAL_WORDS:
        return ""
    beside = "".join(plain.split(word, 1))
    is_short = len(beside) <= _MOST_DIGITS_BESIDE_A_WORD
    return (
        word if is_short or _is_sequence(beside) or _is_common(beside) or _is_date(beside) else ""
    )


def easiness(
    pin: str, card_number: str, guesses: float, born_on: date | None = None
) -> type[Refusal] | None:
    """Return why a PIN is too easy to guess; None: it is not.

    `guesses` is an estimate of how many an attacker needs who does not know the card. Signs between
    letters and digits make no difference, nor do capitals. `born_on`: the holder's date of birth,
    if it is known.
    """
    plain, card = _plain(pin), _plain(card_number)
    if _is_sequence(plain):
        return SequentialPin
    if len(plain) >= _SHORTEST_CARD and (plain in card or plain[::-1] in card):
        return CardInPin
    if len(card) >= _SHORTEST_CARD and card in plain:
        return CardInPin
    if guesses < EASY_BELOW or _is_common(plain):
        return CommonPin
    if _is_date(plain) or (born_on and any(one in plain for one in _written(born_on))):
        return DateAsPin
    return None


def _plain(text: str) -> str:
    return "".join(one for one in text.casefold() if one.isalnum())


def _is_sequence(plain: str) -> bool:
    """Return whether each character is as far from the next as the others, as in 111111 or 24680.

    After 9 comes 0.
    """
    if plain.isascii() and plain.isdecimal():
        steps = {(int(b) - int(a)) % 10 for a, b in pairwise(plain)}
        return len(steps) <= 1
    steps = {ord(b) - ord(a) for a, b in pairwise(plain)}
    return len(steps) <= 1 and steps <= {-1, 0, 1}


def _is_common(plain: str) -> bool:
    """Return whether a PIN follows a pattern that many like.

    It is a short one written twice or more, such as 168168, or once more backwards, has only two
    different characters, such as 110110, is made of pairs, such as 884422, or of popular numbers.
    """
    length = len(plain)
    is_repeated = any(
        length % block == 0 and plain == plain[:block] * (length // block)
        for block in range(1, min(_LONGEST_BLOCK, length // 2) + 1)
    )
    is_mirrored = plain == plain[::-1] and length <= 2 * _LONGEST_BLOCK
    is_of_pairs = plain[0::2] == plain[1::2] and length <= 2 * _LONGEST_BLOCK
    return (
        is_repeated
        or is_mirrored
        or is_of_pairs
        or len(set(plain)) <= 2
        or _POPULAR_PARTS.fullmatch(plain) is not None
    )


def _is_date(plain: str) -> bool:
    """Return whether a PIN is a day, or a month of a year, in any usual order.

    A year has two digits or four; a day and a month have one only beside a year of four.
    """
    return plain.isascii() and plain.isdecimal() and any(map(_is_a_day, _readings(plain)))


def _readings(plain: str) -> Iterator[dict[str, str]]:
    """Yield the ways to read digits as day, month and year."""
    for order in _ORDERS:
        yield from _split(plain, order)


def _split(plain: str, order: str) -> Iterator[dict[str, str]]:
    if not order:
        if not plain:
            yield {}
        return
    for width in _WIDTHS[order[0]]:
        if len(plain) >= width:
            for rest in _split(plain[width:], order[1:]):
                yield {order[0]: plain[:width], **rest}


def _is_a_day(read: dict[str, str]) -> bool:
    day, month, year = read.get("d", "01"), read["m"], read["y"]
    if len(year) == 2 and (len(day) == 1 or len(month) == 1 or "d" not in read):
        return False
    if len(year) == 4 and int(year) not in _YEARS:
        return False
    try:
        date(int(year) if len(year) == 4 else 2000, int(month), int(day))
    except ValueError:
        return False
    return True


def _written(day: date) -> set[str]:
    """Return the usual ways to write a day with its year, in digits."""
    orders = ("%d%m%y", "%m%d%y", "%y%m%d", "%d%m%Y", "%m%d%Y", "%Y%m%d")
    return {day.strftime(order) for order in orders}
