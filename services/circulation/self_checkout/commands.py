"""Allow self-checkout by phone at a library, and check the code of the day that a patron typed."""

import secrets
from dataclasses import replace
from datetime import date

from services.circulation.calendars import store as calendars_store
from services.circulation.refusals import NoSuchBranch, SelfCheckoutOff
from services.circulation.rules.self_checkout import (
    DayCodeTries,
    SelfCheckout,
    is_code_of_day,
    tried,
)
from services.circulation.self_checkout import store
from shared.unit_of_work import Work

SECRET_BYTES = 32
"""Random bytes of the key of a library's codes."""


def allow_self_checkout(work: Work, branch: str, allowed: bool) -> SelfCheckout:
    """Allow self-checkout by phone at a library, or end it. Raises NoSuchBranch."""
    _check_branch(work, branch)
    kept = store.get(work, branch) or SelfCheckout(id=branch)
    changed = replace(kept, allowed=allowed, secret=kept.secret or _new_secret())
    return kept if changed == kept else _stored(work, changed)


def renew_secret(work: Work, branch: str) -> SelfCheckout:
    """Give a library another code for today and each later day.

    Raises SelfCheckoutOff or NoSuchBranch.
    """
    return _stored(work, replace(_allowed(work, branch), secret=_new_secret()))


def check_day_code(work: Work, branch: str, patron_id: str, code: str, today: date) -> bool:
    """Return whether a patron typed the code of today of a library, and count the try.

    A right one is written too: otherwise one of many at once would be right uncounted. The caller
    must not undo the count by a refusal of what follows. Raises SelfCheckoutOff, TooManyDayCodes or
    NoSuchBranch.
    """
    right = is_code_of_day(_allowed(work, branch), today, code)
    tries = store.get_tries(work, patron_id)
    tries = tries or DayCodeTries(id=patron_id, day=today)
    store.put_tries(work, tried(tries, today, right=right))
    return right


def _allowed(work: Work, branch: str) -> SelfCheckout:
    library = store.get(work, branch)
    if library is None or not library.allowed:
        _check_branch(work, branch)
        raise SelfCheckoutOff
    return library


def _check_branch(work: Work, branch: str) -> None:
    if calendars_store.get(work, branch) is None:
        raise NoSuchBranch(branch=branch)


def _stored(work: Work, changed: SelfCheckout) -> SelfCheckout:
    stored = replace(changed, version=changed.version + 1)
    store.put(work, stored)
    return stored


def _new_secret() -> str:
    return secrets.token_hex(SECRET_BYTES)
