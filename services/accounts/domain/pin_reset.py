"""A patron's way to a new PIN without the old one: a code that is sent to their e-mail address."""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal

from services.accounts.domain.lockout import (
    DAY,
    Budget,
    Source,
    StrangersLimits,
    budget_of_everyone,
    budget_of_network,
)
from services.accounts.domain.session import Session
from shared import keys as keyed

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
    codes = [_code(one) for one in keyed.digests(keys, f"{purpose}\n{request_id}")]
    return digits.isascii() and any(hmac.compare_digest(digits, code) for code in codes)


def _code(digest: bytes) -> str:
    return f"{int.from_bytes(digest) % 10**DIGITS:0{DIGITS}}"


def is_live(reset: PinReset, at: datetime) -> bool:
    """Return whether the code of a reset can be sent and used."""
    return reset.state == "sent" and reset.tries < MOST_TRIES and at < reset.expires_at


def issued(reset_id: str, card_digest: str, account_id: str, at: datetime) -> PinReset:
    """Return a code for an account of staff, which a manager has asked for."""
    return PinReset(reset_id, card_digest, at + ISSUED_FOR, account_id, state="sent")


def found(reset: PinReset, patron_id: str | None) -> PinReset:
    """Return the reset with the patron to whom its code is sent, or void without one."""
    state: State = "void" if patron_id is None else "sent"
    return replace(reset, patron_id=patron_id, state=state, version=reset.version + 1)


def used(reset: PinReset, ended: Sequence[Session]) -> PinReset:
    """Return the reset as used: its code chooses no other PIN, and these sessions ended."""
    return replace(reset, state="used", ended=tuple(ended), version=reset.version + 1)
