"""A new PIN: hard to guess, and chosen with a code from an e-mail by who has forgotten theirs."""

import hmac
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Literal

from services.accounts.pins.refusals import CardInPin, CommonPin, DateAsPin, SequentialPin
from services.accounts.refusals import Refusal
from services.accounts.sign_in.rules import (
    DAY,
    Budget,
    Session,
    Source,
    StrangersLimits,
    budget_of_everyone,
    budget_of_network,
)
from shared import keys as keyed

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

VALID_FOR = timedelta(minutes=15)
ISSUED_FOR = timedelta(hours=24)
"""Time for which a code is valid that staff get for a new account, or in place of a PIN."""
MOST_TRIES = 5
"""Tries to enter the code; after them it is dead."""
PURPOSE = "pin-reset"
"""Purpose of the codes for a new PIN, from which they are derived."""
DIGITS = 8
MOST_CODES = 20
"""Codes a day for one card: they can't be guessed, and don't fill the mailbox of its holder."""

State = Literal["requested", "void", "sent", "used"]
"""`requested` until the job has looked for the card; `void` if no code can be sent."""


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
    if _is_date(plain) or (born_on and any(digits in plain for digits in _written(born_on))):
        return DateAsPin
    return None


def _plain(text: str) -> str:
    return "".join(character for character in text.casefold() if character.isalnum())


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


@dataclass(frozen=True, slots=True)
class PinReset:
    """A request for a new PIN. Its code is derived from its id, and stored nowhere."""

    id: str
    card_digest: str
    """Digest of the card number that was typed; there may be no such card."""
    expires_at: datetime
    """Wall clock."""
    patron_id: str | None = None
    """Id of the patron or of the staff's account to which the code is sent; None until then."""
    state: State = "requested"
    tries: int = 0
    ended: tuple[Session, ...] = ()
    """Sessions that the new PIN has ended, to tell them to who repeats the request."""
    version: int = 1


def budget_of_resets(card_digest: str) -> Budget:
    """Return the budget of codes for a card; a new PIN begins another."""
    return Budget(f"resets {card_digest}", MOST_CODES, DAY, card_digest)


def budgets_of_asking(stranger: Source, limits: StrangersLimits) -> tuple[Budget, ...]:
    """Return the budgets of codes that a network asks for, and all together."""
    return budget_of_network(stranger, limits, "asked"), budget_of_everyone(limits, "asked")


def budgets_of_entering(stranger: Source, limits: StrangersLimits) -> tuple[Budget, ...]:
    """Return the budgets of wrong codes that a network enters, and all together.

    They are apart from those of wrong PINs: a new PIN is the way out of these.
    """
    return budget_of_network(stranger, limits, "entered"), budget_of_everyone(limits, "entered")


def code_of(reset_id: str, keys: str) -> str | None:
    """Return the code of a reset; None without keys, because everybody could derive it."""
    return derived_code(PURPOSE, reset_id, keys)


def derived_code(purpose: str, request_id: str, keys: str) -> str | None:
    """Return the code of a request; None without keys, because everybody could derive it.

    A code is for one purpose: one that confirms an address chooses no PIN under the same key.
    """
    return _code(keyed.digest(keys, f"{purpose}\n{request_id}")) if keys else None


def is_code(typed: str, purpose: str, request_id: str, keys: str) -> bool:
    """Return whether the typed text is the code of a request; blanks in it do not count."""
    digits = "".join(typed.split())
    codes = [_code(digest) for digest in keyed.digests(keys, f"{purpose}\n{request_id}")]
    return digits.isascii() and any(hmac.compare_digest(digits, code) for code in codes)


def _code(digest: bytes) -> str:
    return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"


def is_live(reset: PinReset, at: datetime) -> bool:
    """Return whether the code of a reset can be sent and used."""
    return reset.state == "sent" and reset.tries < MOST_TRIES and at < reset.expires_at


def issued(reset_id: str, card_digest: str, account_id: str, at: datetime) -> PinReset:
    """Return a code for an account of staff, which a manager has asked for."""
    return PinReset(reset_id, card_digest, at + ISSUED_FOR, account_id, state="sent")


def sent_to(reset: PinReset, patron_id: str | None) -> PinReset:
    """Return the reset with the patron to whom its code is sent, or void without one."""
    state: State = "void" if patron_id is None else "sent"
    return replace(reset, patron_id=patron_id, state=state, version=reset.version + 1)


def used(reset: PinReset, ended: Sequence[Session]) -> PinReset:
    """Return the reset as used: its code chooses no other PIN, and these sessions ended."""
    return replace(reset, state="used", ended=tuple(ended), version=reset.version + 1)
