"""A new e-mail address: it is used for nothing until its holder has entered a code from there."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from services.accounts.domain.lockout import DAY, Budget
from services.accounts.domain.pin_reset import derived_code

CONFIRM_WITHIN = timedelta(days=7)
"""Time for which a code can be entered: a reader at the desk does so at home."""
MOST_TRIES = 5
"""Tries to enter the code; after them it is dead."""
PURPOSE = "new-address"
"""Purpose of the codes for new addresses, from which they are derived."""
SENT_AGAIN_AFTER = timedelta(minutes=10)
"""Age from which the same address is asked to be confirmed again; before, it is a repeat."""
MOST_NEW = 10
"""New addresses a day that the holder of a card can have codes sent to."""

By = Literal["patron", "staff"]
Step = Literal["kept", "asked", "changed", "removed"]
"""The next thing that happens to the address in use; `asked`: it stays until the new one is
confirmed."""


@dataclass(frozen=True, slots=True)
class NewAddress:
    """An address that waits to be confirmed. Its code is derived from its id and stored nowhere."""

    id: str
    email: str = field(repr=False)
    by: By
    """The one who entered it."""
    asked_at: datetime
    """Wall clock."""
    expires_at: datetime
    tries: int = 0
    confirmed: bool = False
    """True once it is in use: the same code is then accepted again and changes nothing."""


def step_to(former: str | None, wanted: str | None, by: By) -> Step:
    """Return the next thing that happens to the address in use.

    Without a former one, that from the desk is used at once: the staff see whose card it is.
    """
    if (wanted or "").casefold() == (former or "").casefold():
        return "kept"
    if wanted is None:
        return "removed"
    return "changed" if former is None and by == "staff" else "asked"


def asked(request_id: str, email: str, by: By, at: datetime) -> NewAddress:
    """Return a new address that waits from now on."""
    return NewAddress(request_id, email, by, at, at + CONFIRM_WITHIN)


def is_live(new: NewAddress | None, at: datetime) -> bool:
    """Return whether the code of an address can be sent and used."""
    if new is None or new.confirmed:
        return False
    return new.tries < MOST_TRIES and at < new.expires_at


def is_repeat(new: NewAddress | None, email: str, at: datetime) -> bool:
    """Return whether the code for an address was sent just now."""
    if new is None or not is_live(new, at):
        return False
    return new.email == email and at < new.asked_at + SENT_AGAIN_AFTER


def code_for(request_id: str, keys: str) -> str | None:
    """Return the code of a request; None without keys, because everybody could derive it."""
    return derived_code(PURPOSE, request_id, keys)


def budget_of_new_addresses(card_digest: str) -> Budget:
    """Return the budget of new addresses, so that nobody has many strangers sent a code."""
    return Budget(f"addresses {card_digest}", MOST_NEW, DAY, card_digest)
