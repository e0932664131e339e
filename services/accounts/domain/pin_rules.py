"""Rules for a new PIN: long enough, and not among the first that somebody would try."""

from itertools import pairwise

from services.accounts.domain.refusals import CardInPin, CommonPin, Refusal, SequentialPin

PIN_LENGTHS = range(6, 65)
EASY_BELOW = 1000
"""Number of guesses by which an attacker who knows people's habits may not have found a PIN."""
LOCAL_WORDS = ("library", "libraries", "hkpl", "hongkong", "carrel", "mylibrary")
"""Words that many would choose here, beside those that are common everywhere."""
_SHORTEST_CARD = 4
"""Characters of the shortest card number that a PIN may not have in it."""
_READ_AS = str.maketrans("@({[<!|$+%", "acccci1stx")
"""Letters, and a digit, that signs stand for in words such as `p@$$word`."""


def acceptable_pin(pin: str) -> bool:
    """Return True if a PIN has 6 to 64 printable characters."""
    return len(pin) in PIN_LENGTHS and pin.isprintable()


def with_signs_read(pin: str) -> str:
    """Return a PIN with the letter that each sign may stand for, to estimate guesses from.

    zxcvbn tries all that signs and digits may stand for together: with many different signs it
    takes many seconds, with digits alone a fraction of one.
    """
    return pin.translate(_READ_AS)


def easiness(pin: str, card_number: str, guesses: float) -> type[Refusal] | None:
    """Return why a PIN is too easy to guess; None: it is not.

    `guesses` is an estimate of how many an attacker needs who does not know the card. Signs between
    letters and digits make no difference, nor do capitals.
    """
    plain, card = _plain(pin), _plain(card_number)
    if _is_sequence(plain):
        return SequentialPin
    if len(plain) >= _SHORTEST_CARD and (plain in card or plain[::-1] in card):
        return CardInPin
    if len(card) >= _SHORTEST_CARD and card in plain:
        return CardInPin
    return CommonPin if guesses < EASY_BELOW else None


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
