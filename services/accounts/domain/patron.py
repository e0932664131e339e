"""A patron as the other services know one: nothing here says who the person is."""

from dataclasses import dataclass, replace
from typing import Literal

from services.accounts.domain.refusals import AlreadyBlocked, NotBlocked

Status = Literal["active", "blocked", "erased"]
BlockedBy = Literal["staff", "money"]


@dataclass(frozen=True, slots=True)
class Patron:
    """A registered borrower. What is personal is in the Cardholder of the same id."""

    id: str
    category: str
    """`adult` or `junior`; a library may have others."""
    home_branch: str
    """Branch code."""
    language: str
    """`en`, `zh-Hant` or `zh-Hans`."""
    card_digest: str
    """Keyed digest of the card number; empty once erased."""
    status: Status = "active"
    blocked_by: tuple[BlockedBy, ...] = ()
    """Who or what blocks a blocked patron: the staff, or what they owe. Either is lifted alone."""
    version: int = 1
    """Counts the changes of what is published."""


def amend(
    patron: Patron,
    *,
    category: str | None = None,
    home_branch: str | None = None,
    language: str | None = None,
    card_digest: str | None = None,
) -> Patron:
    """The patron with what is given changed; the same value if that changes nothing."""
    amended = replace(
        patron,
        category=category or patron.category,
        home_branch=home_branch or patron.home_branch,
        language=language or patron.language,
        card_digest=card_digest or patron.card_digest,
    )
    return amended if amended == patron else _next(amended)


def block(patron: Patron) -> Patron:
    """The patron, whom the staff no longer let borrow. Raises AlreadyBlocked."""
    if "staff" in patron.blocked_by:
        raise AlreadyBlocked
    return _blocked(patron, {*patron.blocked_by, "staff"})


def unblock(patron: Patron) -> Patron:
    """The patron, whom the staff let borrow again, unless they owe too much. Raises NotBlocked."""
    if "staff" not in patron.blocked_by:
        raise NotBlocked
    return _blocked(patron, {*patron.blocked_by} - {"staff"})


def stand(patron: Patron, *, owes_too_much: bool) -> Patron:
    """The patron, blocked by money or not; the same value if that changes nothing."""
    blocked: set[BlockedBy] = {*patron.blocked_by} - {"money"}
    if owes_too_much:
        blocked.add("money")
    return patron if blocked == {*patron.blocked_by} else _blocked(patron, blocked)


def erase(patron: Patron) -> Patron:
    """The tombstone: it says that there was a patron of this id, and not which card they had."""
    return _next(replace(patron, status="erased", blocked_by=(), card_digest=""))


def _blocked(patron: Patron, by: set[BlockedBy]) -> Patron:
    return _next(
        replace(patron, status="blocked" if by else "active", blocked_by=tuple(sorted(by)))
    )


def _next(patron: Patron) -> Patron:
    return replace(patron, version=patron.version + 1)
