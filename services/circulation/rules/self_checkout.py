"""Self-checkout by phone: the code of the day at a library's door, and the copies it may lend."""

import hmac
from dataclasses import dataclass, field, replace
from datetime import date

from services.circulation.refusals import CopyElsewhere, TooManyDayCodes
from services.circulation.rules.copy import COPY_LIFE, Copy, CopyState, CopyStep

DIGITS = 6
"""Number of digits of a code of the day."""
MOST_WRONG_CODES = 5
"""Number of wrong codes of a patron after which none is taken on that day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfCheckout:
    """A library's choice to let patrons borrow with their own phones."""

    id: str
    """Code of the branch."""
    allowed: bool = False
    secret: str = field(default="", repr=False)
    """Key of its codes; a new one ends them at once."""
    version: int = 0
    """0: it is not stored, because nobody has allowed it yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DayCodeTries:
    """A patron's tries at codes of the day, on the last day with one."""

    id: str
    """Id of the patron."""
    day: date
    wrong: int = 0
    version: int = 0
    """Each try raises it, so that of two at once one is counted after the other."""


def code_of_day(library: SelfCheckout, on: date) -> str:
    """Return the code that a library has at its door on a day, in digits."""
    message = f"{library.id}/{on.isoformat()}"
    digest = hmac.digest(library.secret.encode(), message.encode(), "sha256")
    return f"{int.from_bytes(digest[:8]) % 10**DIGITS:0{DIGITS}}"


def is_code_of_day(library: SelfCheckout, on: date, code: str) -> bool:
    """Return whether this is the code of the library on a day."""
    return hmac.compare_digest(code_of_day(library, on).encode(), code.encode())


def tried(tries: DayCodeTries, on: date, *, right: bool) -> DayCodeTries:
    """Return the tries with one more. Raises TooManyDayCodes, whether it is right or not."""
    wrong = tries.wrong if tries.day == on else 0
    if wrong >= MOST_WRONG_CODES:
        raise TooManyDayCodes
    return replace(tries, day=on, wrong=wrong + (not right), version=tries.version + 1)


def check_stands_at(copy: Copy, branch_code: str) -> None:
    """Raise CopyElsewhere if a copy that can be lent should not be in the hands of a reader there.

    A copy of another library is there only on the hold shelf.
    """
    here = copy.at_branch == branch_code and copy.state is not CopyState.IN_TRANSIT
    own = copy.branch_code == branch_code or copy.hold_id is not None
    if (copy.state, CopyStep.LEND) in COPY_LIFE and not (here and own):
        raise CopyElsewhere
