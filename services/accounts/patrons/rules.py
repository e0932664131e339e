"""A patron's state as it is published: blocks, debts, coming of age and erasure."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from services.accounts.cardholders.rules import BlockedBy, Patron
from services.accounts.patrons.refusals import AlreadyBlocked, NotBlocked

PATIENCE = timedelta(seconds=10)
"""Age from which the job finishes an erasure; before that, the request that began it does."""


def amend(
    patron: Patron,
    *,
    category: str | None = None,
    home_branch: str | None = None,
    language: str | None = None,
    card_digest: str | None = None,
    by_post: bool | None = None,
) -> Patron:
    """Return the patron with the given fields changed; the same value if nothing changes."""
    amended = replace(
        patron,
        category=category or patron.category,
        home_branch=home_branch or patron.home_branch,
        language=language or patron.language,
        card_digest=card_digest or patron.card_digest,
        by_post=patron.by_post if by_post is None else by_post,
    )
    return amended if amended == patron else _next(amended)


def block(patron: Patron) -> Patron:
    """Return the patron as blocked by the staff. Raises AlreadyBlocked."""
    if "staff" in patron.blocked_by:
        raise AlreadyBlocked
    return _blocked(patron, {*patron.blocked_by, "staff"})


def unblock(patron: Patron) -> Patron:
    """Return the patron without the staff's block; a block for debt stays. Raises NotBlocked."""
    if "staff" not in patron.blocked_by:
        raise NotBlocked
    return _blocked(patron, {*patron.blocked_by} - {"staff"})


def with_debt(patron: Patron, *, owes_too_much: bool) -> Patron:
    """Return the patron with or without a block for debt; the same value if nothing changes."""
    blocked: set[BlockedBy] = {*patron.blocked_by} - {"money"}
    if owes_too_much:
        blocked.add("money")
    return patron if blocked == {*patron.blocked_by} else _blocked(patron, blocked)


def erase(patron: Patron) -> Patron:
    """Return the tombstone of a patron: it keeps the id but no card."""
    return _next(replace(patron, status="erased", blocked_by=(), card_digest="", by_post=False))


def _blocked(patron: Patron, by: set[BlockedBy]) -> Patron:
    return _next(
        replace(patron, status="blocked" if by else "active", blocked_by=tuple(sorted(by)))
    )


def _next(patron: Patron) -> Patron:
    return replace(patron, version=patron.version + 1)


def is_of_age(born_on: date, on: date, age: int) -> bool:
    """Return whether a person has this age on a day. One born on 29 February has it on 1 March."""
    birthday_is_to_come = (on.month, on.day) < (born_on.month, born_on.day)
    return on.year - born_on.year - birthday_is_to_come >= age


def latest_birth(on: date, age: int) -> date:
    """Return the last date of birth of those who have this age on a day."""
    leap_day = (on.month, on.day) == (2, 29)
    return date(on.year - age, on.month, 28 if leap_day else on.day)


@dataclass(frozen=True, slots=True)
class Standing:
    """A patron's standing: blocked for debt or not. The newest version holds."""

    id: str
    """Id of the patron."""
    version: int
    owes_too_much: bool


@dataclass(frozen=True, slots=True)
class Erasure:
    """An erasure that was begun, kept until the patron is erased or the erasure is refused."""

    id: str
    """Id of the patron."""
    begun_at: datetime
    """Instant of the last request for it (wall clock)."""
    version: int = 1
    """Number of requests for it."""
